// Checks between options that are each fine alone. Runs in the master, at start only. Pure.

import { type AnyOption, formatValue, OPTION_LIST } from "./option-list.ts";
import type { Key, Settings } from "./options.ts";

/** Problems of values that contradict each other; `sourceOf` says where each came from, `bad` ones are known to be wrong already. */
export function crossCheck(settings: Settings, sourceOf: (key: Key) => string, bad: ReadonlySet<Key>): readonly string[] {
  const problems: string[] = [];
  const name = (key: Key): string => `${optionOf(key).name} (${formatValue(optionOf(key), settings[key])}, ${sourceOf(key)})`;
  const check = (isFine: boolean, keys: readonly Key[], problem: () => string): void => {
    if (!isFine && !keys.some((key) => bad.has(key))) problems.push(problem());
  };

  check(
    settings.drainDelayMs < settings.stopTimeoutMs,
    ["drainDelayMs", "stopTimeoutMs"],
    () => `${name("drainDelayMs")} must be less than ${name("stopTimeoutMs")}: it is spent from that budget`,
  );
  check(
    settings["backoff.delayMs"] <= settings["backoff.limitMs"],
    ["backoff.delayMs", "backoff.limitMs"],
    () => `${name("backoff.delayMs")} must not be above ${name("backoff.limitMs")}`,
  );
  check(
    settings.workers.kind !== "count" || settings.minReady <= settings.workers.count,
    ["minReady", "workers"],
    () => `${name("minReady")} must not be above ${name("workers")}: the service would never be ready`,
  );

  check(
    settings.stickyTrust === "off" || settings.listen === "sticky",
    ["stickyTrust", "listen"],
    () => `${name("stickyTrust")} is for listen sticky only, not for ${name("listen")}: set --listen sticky, or leave it out`,
  );

  const { httpsKey, httpsCert, httpsCa, httpsPassphrase } = settings;
  check(
    (httpsKey === null) === (httpsCert === null),
    ["httpsKey", "httpsCert"],
    () => `https-key and https-cert go together: ${httpsKey === null ? "https-key" : "https-cert"} is missing`,
  );
  check(
    httpsKey !== null || httpsCert !== null || (httpsCa === null && httpsPassphrase === null),
    ["httpsKey", "httpsCert"],
    () => `${httpsCa === null ? "https-passphrase" : "https-ca"} needs https-key and https-cert beside it`,
  );
  check(
    settings.egg === null || (settings.app === null && settings.agent === null),
    ["egg", "app", "agent"],
    () => `${name("egg")} brings its own app and agent: give the one or the others`,
  );

  const ports: { port: number; key: Key }[] = [
    ...settings.ports.map((port) => ({ port, key: "ports" as const })),
    { port: settings.probesPort, key: "probesPort" },
    { port: settings.metricsPort, key: "metricsPort" },
  ];
  for (const [index, { port, key }] of ports.entries()) {
    const earlier = ports.slice(0, index).find((each) => each.port === port && port !== 0);
    if (earlier === undefined) continue;
    const same = earlier.key === key;
    check(false, [key, earlier.key], () =>
      same ? `${name(key)} names ${port} twice` : `${name(key)} and ${name(earlier.key)} must differ: each needs a port of its own`,
    );
  }
  return problems;
}

function optionOf(key: Key): AnyOption {
  return OPTION_LIST.find((option) => option.key === key) as AnyOption;
}
