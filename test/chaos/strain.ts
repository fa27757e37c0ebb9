// Time as a starved machine has it: deadlines grow by what the kernel says that was waited for a CPU, so that a slow machine fails nothing,
// while a wait that has no end still ends.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** However starved: a wait that has lasted so many times its deadline has failed. */
const LONGEST = 5;
const POLL_MS = 50;
/** All statistics of a wait, for messages. */
export interface Stretch {
  readonly elapsedMs: number;
  /** How much of it some process waited for a CPU. */
  readonly starvedMs: number;
  /** What the wait comes to on a machine that has a CPU for everybody. */
  readonly fairMs: number;
}

/** @returns a function that tells what has passed since now */
export function startStopwatch(): () => Stretch {
  const startedAt = performance.now();
  const before = readStarvedMs();
  return () => {
    const elapsedMs = performance.now() - startedAt;
    const starvedMs = Math.min(elapsedMs, readStarvedMs() - before);
    return { elapsedMs, starvedMs, fairMs: Math.max(elapsedMs / LONGEST, elapsedMs - starvedMs) };
  };
}

/** Polls until the check gives something truthy, and returns it. A throwing check counts as not yet. */
export async function patiently<T>(what: string, check: () => T | Promise<T>, deadlineMs: number = 20_000): Promise<NonNullable<T>> {
  const passed = startStopwatch();
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    const stretch = passed();
    if (stretch.fairMs > deadlineMs) throw new Error(`gave up waiting until ${what} after ${describe(stretch)}; last: ${String(last)}`);
    await sleep(POLL_MS);
  }
}

export function describe({ elapsedMs, starvedMs }: Stretch): string {
  return `${Math.round(elapsedMs)} ms (for ${Math.round(starvedMs)} ms of them somebody waited for a CPU)`;
}

/** The kernel's own account of all processes, or, where it keeps none, how long this process has waited. */
function readStarvedMs(): number {
  try {
    return Number(/^some .*total=(\d+)/.exec(readFileSync("/proc/pressure/cpu", "latin1"))?.[1] ?? 0) / 1e3;
  } catch {
    return readWaitedMs("self");
  }
}

function readWaitedMs(pid: number | "self"): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}
