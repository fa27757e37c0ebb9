// What the cases do to an init, and how they see what comes of it. Each gives a few words.
import type { TestContext } from "node:test";
import type { Snapshot } from "../../../src/policy/snapshot.ts";
import { ask } from "../../helpers/load.ts";
import { childrenOf, stateOf, zombiesOf } from "../../helpers/processes.ts";
import { DEADLINE_MS, until } from "../../helpers/until.ts";
import { type Options, type Running, type Subject, start } from "./subjects.ts";

export const STOPS = "stops until CONT";
export const MORE = "one worker more";
export const SAME = "stops, and goes on with the same workers";
export const LOOK_MS = 1_000;

/** A thousand orphans are three thousand forks. */
const ORPHANS_DEADLINE_MS = DEADLINE_MS * 6;

export const serves = async ({ url }: Running): Promise<boolean> => (await ask(url("/"))).status === 200;

/** What became of it after something that may have ended it. */
export async function fate(running: Running, alive: () => Promise<string>): Promise<string> {
  return running.service === null ? ended(running) : alive();
}

export async function ended(running: Running): Promise<string> {
  const { code, signal } = await running.exited();
  return signal === null ? `exit ${code}` : `ended by ${signal}`;
}

/** `count` processes whose parents end at once, and which end a moment later, in their own ways. */
export async function orphan(running: Running, count: number, ms: number, end = ""): Promise<void> {
  const script = `i=0; while [ $i -lt ${count} ]; do ( (sleep ${ms / 1000}; ${end}) & ); i=$((i+1)); done`;
  await ask(running.url(`/run?script=${encodeURIComponent(script)}`), false, { timeout: ORPHANS_DEADLINE_MS });
}

export async function afterOrphans(running: Running, make: () => Promise<unknown>): Promise<string> {
  const before = childrenOf(running.init).length;
  await make();
  await until("the orphans have ended", () => childrenOf(running.init).length <= before, ORPHANS_DEADLINE_MS).catch(() => {});
  await until("they are reaped", () => zombiesOf(running.init).length === 0).catch(() => {});
  const left = zombiesOf(running.init).length;
  return left === 0 && (await serves(running)) ? "0 zombies" : `${left} zombies`;
}

/** One signal to the init; what the program did. */
export const ending =
  (signal: NodeJS.Signals, options: Options = {}) =>
  async (t: TestContext, subject: Subject): Promise<string> => {
    const running = await start(t, subject, options);
    process.kill(running.init, signal);
    return ended(running);
  };

export async function statusOf({ service }: Running): Promise<Snapshot> {
  if (service === null) throw new Error("this init has no status");
  return service.status();
}

/** Some stop themselves or the program. That one does not can only be seen by waiting for a while. */
export async function stopsOrNot(running: Running, isExpected: boolean): Promise<string> {
  const isStopped = (): boolean => [running.init, ...childrenOf(running.init)].some((pid) => stateOf(pid) === "T");
  const hasStopped = await until("something stops", isStopped, isExpected ? DEADLINE_MS : LOOK_MS).catch(() => false);
  if (!hasStopped) return (await serves(running)) ? "serves on" : "does not serve";
  process.kill(running.init, "SIGCONT");
  await until("it goes on", async () => !isStopped() && (await serves(running)));
  return STOPS;
}

/** The program ends by its own doing. */
export async function replaced(running: Running, path: string): Promise<string> {
  const restarts = async (): Promise<number> => (await statusOf(running)).workers.reduce((sum, slot) => sum + slot.restarts, 0);
  const before = running.service === null ? 0 : await restarts();
  ask(running.url(path)).catch(() => {});
  return fate(running, async () => {
    await until("it was replaced", async () => (await restarts()) > before && (await statusOf(running)).workersReady === 2);
    return "replaced";
  });
}
