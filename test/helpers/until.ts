// Waits for a condition, never for a fixed time; says what it waited for when it gives up.
import { setTimeout as sleep } from "node:timers/promises";

export const DEADLINE_MS = 20_000;

/** Polls until the check gives something truthy, and returns it. A throwing check counts as not yet. */
export async function until<T>(what: string, check: () => T | Promise<T>, deadlineMs: number = DEADLINE_MS): Promise<NonNullable<T>> {
  const endsAt = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > endsAt) throw new Error(`gave up after ${deadlineMs} ms waiting until ${what}; last: ${String(last)}`);
    await sleep(20);
  }
}
