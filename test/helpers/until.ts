// Waits for a condition, never for a fixed time; says what it waited for when it gives up.
import { setTimeout as sleep } from "node:timers/promises";

export const DEADLINE_MS = 20_000;

/** Between two looks: short at first, for what is about to happen, and longer while it does not, since each look costs its test and the service. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 60;

/** Polls until the check gives something truthy, and returns it. A throwing check counts as not yet. */
export async function until<T>(what: string, check: () => T | Promise<T>, deadlineMs: number = DEADLINE_MS): Promise<NonNullable<T>> {
  const endsAt = performance.now() + deadlineMs;
  let last: unknown;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.15, LONGEST_PAUSE_MS)) {
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endsAt) throw new Error(`gave up after ${deadlineMs} ms waiting until ${what}; last: ${String(last)}`);
    await sleep(pauseMs);
  }
}
