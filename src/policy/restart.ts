// When a child that ended may start again, and when it has crashed too often. Pure.
import type { Backoff } from "../config/config.ts";
import type { Life, Outcome, Slot } from "./life.ts";
import { readyLife } from "./select.ts";
import type { Settings, State } from "./state.ts";

/**
 * The delay before the next life: none after the first failure ("replaced at once"), then delay × factor^n up to the limit.
 * @param failures consecutive lives that never got ready or ended too soon after it
 * @param random uniform in [0, 1), spreads the delay by ± jitter
 */
export function backoffMs(failures: number, backoff: Backoff, random: number): number {
  // Nothing times a factor that has grown beyond all numbers would be no number.
  if (failures <= 1 || backoff.delayMs === 0) return 0;
  const delay = Math.min(backoff.delayMs * backoff.factor ** (failures - 2), backoff.limitMs);
  return Math.round(delay * (1 + backoff.jitter * (2 * random - 1)));
}

/** Whether a life ended too soon to forget the failures before it. */
export function isShortLived(life: Life, backoff: Backoff, now: number): boolean {
  if (life.state === "starting") return true;
  const readyAt = life.readyAt;
  return readyAt === null || now - readyAt < backoff.resetMs;
}

/** Signals that a process brings upon itself: abort(), V8's fatal errors (a full heap among them), a bug in a native add-on. */
const OWN_FAULTS: readonly string[] = ["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP"];

/**
 * How a child ended. "clean" is what was asked for: a child that drains may choose its exit code, and may end by SIGTERM, as frameworks do that
 * raise the signal again after their own hooks; an uncaught exception in it is a crash all the same. One that exits unasked, with whatever code,
 * is gone without leave.
 */
export function classifyExit(life: Life, signal: string | null, oom: boolean): Outcome {
  if (oom) return "oom";
  const unasked = signal === null || OWN_FAULTS.includes(signal) ? "crash" : "killed";
  switch (life.state) {
    case "starting":
      return "boot_failure";
    case "killing":
      if (life.cause === "boot-timeout") return "boot_failure";
      return life.cause === "unresponsive" ? "unresponsive" : "killed";
    case "draining":
      if (life.cause === "crash" || life.fault !== null) return unasked;
      return signal === null || signal === "SIGTERM" ? "clean" : unasked;
    case "ready":
      return unasked;
    default:
      return life satisfies never;
  }
}

/** A slot that used up its restarts and has nothing serving. */
function isExhausted(slot: Slot, settings: Settings): boolean {
  return slot.failures >= settings.maxRestarts && readyLife(slot) === null;
}

/** Crash loop: every worker slot has used up its restarts, or the agent has. One bad slot among good ones is retried for ever. */
export function crashLooping(state: State): "agent" | "workers" | null {
  if (state.agent !== null && isExhausted(state.agent, state.settings)) return "agent";
  if (state.workers.length > 0 && state.workers.every((slot) => isExhausted(slot, state.settings))) return "workers";
  return null;
}
