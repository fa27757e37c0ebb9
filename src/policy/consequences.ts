// What the end of one child means for the whole service. Pure.
import type { ExitReason } from "../errors.ts";
import type { Life, Slot } from "./life.ts";
import type { Ended } from "./lives.ts";
import { crashLooping } from "./restart.ts";
import { abortRollout } from "./rollout.ts";
import { findLife } from "./select.ts";
import type { State } from "./state.ts";
import { beginStop } from "./stopping.ts";
import { log, type Turn } from "./turn.ts";

/** What an end means for the service: a failed start, an aborted reload, or perhaps a crash loop. */
export function judgeEnd(turn: Turn, { slot, life, outcome }: Ended): void {
  if (turn.state.phase !== "running") {
    if (!isScaledAway(turn.state, slot, life)) beginStop(turn, bootFailure(slot, life));
    return;
  }
  // A worker that was drained for the reload itself, or that did not end by its deadline then, is no failure of a generation.
  if (outcome !== "clean" && !isReplaced(life)) abortRollout(turn, slot, life);
  checkCrashLoop(turn);
}

/** A worker of the new generation that was ready and drains after an uncaught exception. */
export function abortByFault(turn: Turn, id: number): void {
  const found = findLife(turn.state, id);
  if (found?.life.state === "draining" && found.life.cause === "crash") abortRollout(turn, found.slot, found.life);
}

function isReplaced(life: Life): boolean {
  return life.state === "draining" ? life.cause !== "crash" : life.state === "killing" && life.cause === "drain-timeout";
}

function bootFailure(slot: Slot, life: Life): ExitReason {
  if (life.fault?.code === "EADDRINUSE") return "port-conflict";
  return slot.role === "agent" ? "agent-boot" : "worker-boot";
}

/** Fewer workers were asked for while the service was starting: the end of one that is too many is no failed start. */
function isScaledAway(state: State, slot: Slot, life: Life): boolean {
  if (slot.role === "worker" && slot.index >= state.workersTarget) return true;
  // Nothing else is drained while the service starts.
  return (life.state === "draining" && life.cause === "scale") || (life.state === "killing" && life.cause === "drain-timeout");
}

export function checkCrashLoop(turn: Turn): void {
  const { stop, phase, rollCall, settings } = turn.state;
  if (stop !== null || phase !== "running") return;
  // The first to be reached names the exit: after the last strike that is the roll call, whose exit only lingers.
  if (rollCall.raisedAt !== null && settings.onException === "exit") return;
  const who = crashLooping(turn.state);
  if (who === null) return;
  const { maxRestarts } = turn.state.settings;
  const subject = who === "agent" ? "the agent" : "every worker";
  log(turn, "error", `crash loop: ${subject} failed ${maxRestarts} times in a row (max-restarts)`, { crashLoop: who, maxRestarts });
  beginStop(turn, "crash-loop");
}
