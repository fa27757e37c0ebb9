// Reads ROLLCALL_* and PORT. Runs in the master, at start only. Pure; messages never show the value of an unknown name.

import { EMPTY_LAYER, type Given, type Layer } from "./layer.ts";
import { type AnyOption, envNameOf, OPTION_LIST } from "./option-list.ts";
import type { Key } from "./options.ts";
import { didYouMean } from "./suggest.ts";
import { asNumber } from "./values.ts";

/** Read elsewhere: the CPU count that the sizes start from, and what a process is told of itself. */
const OWN_NAMES: ReadonlySet<string> = new Set(
  ["CPUS", "CHILD", "ROLE", "SLOT", "LIFE", "PARENT", "INIT", "EGG_OPTIONS"].map((name) => `ROLLCALL_${name}`),
);

/** Every `ROLLCALL_*` variable must be an option's; an empty one counts as unset. */
export function readEnvironment(env: NodeJS.ProcessEnv): Layer {
  const given = new Map<Key, Given>();
  const problems: string[] = [];
  if (cpusFrom(env) === undefined) {
    problems.push(`ROLLCALL_CPUS: expected a number of CPUs above 0, such as 2 or 1.5; got "${env.ROLLCALL_CPUS}"`);
  }
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("ROLLCALL_") || OWN_NAMES.has(name) || value === undefined || value === "" || isServiceLink(name, value)) continue;
    const option = OPTION_LIST.find((each) => envNameOf(each) === name);
    if (option === undefined) {
      problems.push(`${name}: unknown option${didYouMean(name, OPTION_LIST.map(envNameOf)) || "; rollcall --help lists them"}`);
    } else {
      given.set(option.key, { raw: rawOf(option, value), source: name, label: name });
    }
  }
  return { given, problems };
}

/** The CPUs that ROLLCALL_CPUS grants; null when it is unset, undefined when it is no such number. */
export function cpusFrom(env: NodeJS.ProcessEnv): number | null | undefined {
  const text = env.ROLLCALL_CPUS;
  if (text === undefined || text === "") return null;
  const cpus = asNumber(text);
  return cpus > 0 ? cpus : undefined;
}

/** What Node is told in the children's environment: their own `env` goes before the master's. */
export function childrenNodeOptions(env: NodeJS.ProcessEnv, own: Readonly<Record<string, string>>): readonly string[] {
  return (own.NODE_OPTIONS ?? env.NODE_OPTIONS ?? "").split(/\s+/);
}

/** The platform's `PORT`: weaker than everything but the default. Where it is the path of a socket or pipe, listening is between it and the app. */
export function readPort(env: NodeJS.ProcessEnv): Layer {
  const value = env.PORT;
  return value === undefined || value === "" || /^[/\\]/.test(value)
    ? EMPTY_LAYER
    : { given: new Map([["ports", { raw: value, source: "PORT", label: "PORT" }]]), problems: [] };
}

/**
 * Kubernetes describes every Service of the namespace in the environment: one that is called `rollcall` or
 * `rollcall-metrics` sets ROLLCALL_PORT=tcp://10.0.0.1:80, ROLLCALL_METRICS_SERVICE_HOST and more. None is ours.
 */
function isServiceLink(name: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT(_\w+)?)$/.test(name) || /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)) return true;
  return name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value);
}

/** Lists are separated by commas; JSON serves where a value has a comma of its own. */
function rawOf(option: AnyOption, value: string): unknown {
  if (option.kind.repeatable !== true) return value;
  if (/^\s*[[{]/.test(value)) {
    try {
      return JSON.parse(value);
    } catch {
      return value;
    }
  }
  const parts = value.split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "");
}
