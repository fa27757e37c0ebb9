// How long a probe waited for the master, and not for a processor: what the kernel let both ends of it wait in its run queue is taken off.
import { readFileSync } from "node:fs";

export interface Lag {
  readonly elapsedMs: number;
  readonly ownMs: number;
}

/** Times one question to the main thread of `pid`. */
export async function timed(pid: number, ask: () => Promise<unknown>): Promise<Lag> {
  const before = waitedMs(pid) + waitedMs(process.pid);
  const startedAt = performance.now();
  await ask();
  const elapsedMs = performance.now() - startedAt;
  return { elapsedMs, ownMs: Math.max(0, elapsedMs - (waitedMs(pid) + waitedMs(process.pid) - before)) };
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** The second field: nanoseconds on a run queue. */
function waitedMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
}
