// The promises, looked at after each deed, when the service is whole again. Each check says what it saw.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fdsOf } from "../helpers/listeners.ts";
import type { Deed } from "./deed.ts";
import type { Scene } from "./scene.ts";
import { describe, patiently } from "./strain.ts";
import type { Seen } from "./watch.ts";

/** How many more answers show that the service serves. */
const SERVED = 60;
/** When the service is whole again, an answer takes milliseconds. */
const HUNG_MS = 10_000;
/** P5 says at once; this is for a machine with more to do than it can. */
const PROBE_MS = 3_000;
const COUNTERS_MS = 300;
const LISTEN = "0A";

type Series = ReadonlyMap<string, number>;

export interface Checks {
  /** After a step. */
  check(deed: Pick<Deed, "unready" | "silent">): Promise<void>;
  /** At the end, when nobody asks anything any more. */
  checkAtRest(): Promise<void>;
}

export async function startChecks(scene: Scene): Promise<Checks> {
  const { service, load, ledger, watch } = scene;
  const born = startTimeOf(service.pid);
  const fdsAtRest = countOwnFds(scene);
  const ownProcesses = 1 + scene.ground.workers + (scene.ground.agent === "process" ? 1 : 0);
  let counters = readCounters(await service.metrics());
  let looked = 0;

  const checkLosses = (): void => {
    const losses = load.losses().slice(looked);
    looked += losses.length;
    const broken = losses.filter((loss) => ledger.explain(loss) === null);
    assert.deepEqual(broken, [], "P1, P2: no request is lost on a connection that no victim had accepted");
  };
  const fallen: string[] = [];
  let looking: Promise<void> = Promise.resolve();
  // One look at a time: an answer that comes late must not be compared with a later one.
  const lookAtCounters = (): Promise<void> => {
    looking = looking.catch(() => {}).then(compareCounters);
    return looking;
  };
  const compareCounters = async (): Promise<void> => {
    const now = readCounters(await service.metrics());
    for (const [name, value] of counters) if (!((now.get(name) ?? -1) >= value)) fallen.push(`${name}: ${value} → ${now.get(name)}`);
    counters = now;
  };
  // A life that ends has counted on since the last step.
  const watching = watchCounters(scene, lookAtCounters);
  const checkCounters = async (): Promise<void> => {
    await lookAtCounters();
    assert.deepEqual(fallen, [], "P8: counters never go backwards");
  };
  const checkMaster = (): void => {
    assert.equal(startTimeOf(service.pid), born, "P6: the master is the same process");
    assert.doesNotMatch(service.output(), /MaxListenersExceededWarning|internal error|unexpected error|"level":"fatal"/);
  };

  return {
    check: async ({ unready = false, silent = false }) => {
      const now = performance.now();
      const isAnswered = (): boolean => load.outstanding(now).length === 0;
      await patiently("every request is answered", isAnswered, HUNG_MS).catch((error: Error) => {
        throw new Error(`P2: 0 hung: ${error.message}; outstanding: ${load.outstanding(now).join("; ")}`);
      });
      const before = load.answered();
      await patiently("the load is served", () => load.answered() > before + SERVED);
      await patiently("the probes are answered", () => watch.answeredAt("live") > now && watch.answeredAt("ready") > now);
      checkLosses();
      const seen = watch.take();
      const wrong = ({ probe, answer }: Seen): boolean => answer !== 200 && !(probe === "ready" && answer === 500 && unready);
      assert.deepEqual(seen.filter(wrong), [], "P5: probes are true");
      const late = silent ? [] : seen.filter(({ took }) => took.fairMs > PROBE_MS);
      assert.deepEqual(
        late.map(({ probe, took }) => `${probe} took ${describe(took)}`),
        [],
        "P5: probes are instant",
      );
      await checkCounters();
      checkMaster();
      await patiently("P7: no zombie is left", () => zombiesOf(service.pid).length === 0);
      await patiently(
        `P9: nothing is left of what has ended (${ownProcesses} processes, not ${scene.processes().join(", ")})`,
        () => scene.processes().length === ownProcesses,
      );
      await patiently(
        `P2, P9: the master has ${fdsAtRest} descriptors again, not ${countOwnFds(scene)}`,
        () => countOwnFds(scene) <= fdsAtRest,
      );
    },
    checkAtRest: async () => {
      await watching.stop();
      checkLosses();
      await checkCounters();
      checkMaster();
      const listening = new Set(socketsOn([service.appPort], true));
      const all = (): number => fdsOf(service.pid).filter(({ target }) => !listening.has(target)).length;
      // The probes and the metrics port listen, too.
      await patiently(`P2, P9: the master keeps no connection (${all()} descriptors)`, () => all() <= fdsAtRest + LISTENING_OWN);
    },
  };
}

/** Looks again and again, until it is stopped. */
function watchCounters({ t }: Scene, look: () => Promise<void>): { stop(): Promise<void> } {
  let running = true;
  t.after(() => (running = false));
  const all = (async () => {
    while (running) {
      // A master that stands still answers later.
      await look().catch(() => {});
      await sleep(COUNTERS_MS);
    }
  })();
  return {
    stop: async () => {
      running = false;
      await all;
    },
  };
}

/** The listening sockets of the probes (on IPv4 and IPv6) and the metrics, which countOwnFds() leaves out. */
const LISTENING_OWN = 3;

/** The master's descriptors but for what belongs to ports: listening sockets grow with the most workers that there have been, connections come and go. */
function countOwnFds({ service }: Scene): number {
  const sockets = new Set(socketsOn([service.appPort, service.probesPort, service.metricsPort], false));
  return fdsOf(service.pid).filter(({ target }) => !sockets.has(target)).length;
}

/** TCP sockets of these ports, as links in /proc/<pid>/fd name them. */
function socketsOn(ports: readonly number[], onlyListening: boolean): readonly string[] {
  const wanted = new Set(ports.map((port) => port.toString(16).toUpperCase().padStart(4, "0")));
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) =>
    read(file)
      .split("\n")
      .slice(1)
      .flatMap((line) => {
        const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
        return wanted.has(local.split(":")[1] ?? "") && (!onlyListening || state === LISTEN) ? [`socket:[${inode}]`] : [];
      }),
  );
}

function readCounters(text: string): Series {
  const counters = new Map<string, number>();
  const kinds = new Set([...text.matchAll(/^# TYPE (\S+) (?:counter|histogram)$/gm)].map(([, name]) => name));
  for (const [, series = "", value] of text.matchAll(/^(\S+(?:\{.*\})?) (\S+)$/gm)) {
    const name = series.replace(/\{.*/, "");
    if (kinds.has(name) || kinds.has(name.replace(/_(?:bucket|sum|count)$/, ""))) counters.set(series, Number(value));
  }
  return counters;
}

function zombiesOf(parent: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const [state, ppid] = afterName(read(`/proc/${pid}/stat`));
      return state === "Z" && Number(ppid) === parent;
    })
    .map(Number);
}

function startTimeOf(pid: number): string | undefined {
  return afterName(read(`/proc/${pid}/stat`))[19];
}

/** The fields of /proc/<pid>/stat from the state on. */
function afterName(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function read(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
