// When one worker is to be replaced by a new one, and how long a slot waits in which that came to nothing. Pure.

import type { Life, Ready, Slot } from "./life.ts";
import { limitReached } from "./limits.ts";
import { backoffMs, isShortLived } from "./restart.ts";
import { hasPredecessor } from "./select.ts";
import { called, log, naming, putLife, putSlot, type Turn } from "./turn.ts";

/** At a heartbeat: a worker that has reached one of its limits is to be recycled. */
export function noteLimits(turn: Turn, slot: Slot, life: Ready): void {
  if (life.renewal !== null || turn.state.stop !== null) return;
  const reached = limitReached(life, turn.now);
  if (reached === null) return;
  const { backoff } = turn.state.settings;
  // A worker that is too large soon after its start would be so again: without a wait, workers would do nothing but start.
  const isHasty = reached.reason === "recycle_memory" && isShortLived(life, backoff, turn.now);
  const failures = isHasty ? slot.renewal.failures + 1 : 0;
  const delayMs = backoffMs(failures, backoff, turn.random);
  const marked = putLife(turn, slot, { ...life, renewal: reached.reason });
  putSlot(turn, { ...marked, renewal: { failures, restUntil: turn.now + delayMs } });
  const fields = { ...naming(slot, life), reason: reached.reason, failures, delayMs };
  if (!isHasty) return log(turn, "info", `${called(slot)} is to be recycled: it ${reached.words}`, fields);
  const ageSeconds = Math.round((turn.now - life.readyAt) / 1_000);
  const when = delayMs > 0 ? `is to be recycled in ${delayMs} ms` : "is to be recycled";
  log(
    turn,
    "warn",
    `${called(slot)} ${when}: it ${reached.words}, only ${ageSeconds} s after it was ready; the limit is too small, or it leaks fast: raise it or run fewer workers`,
    fields,
  );
}

/** A successor that failed to boot: the old worker serves on, and the next try waits as a slot does that fails. */
export function noteFailedSuccessor(turn: Turn, before: Slot, life: Life): void {
  // A bad generation ends its reload, and is not tried again.
  if (life.reason === "reload" || !hasPredecessor(before, life)) return;
  const slot = turn.state.workers.find(({ index }) => index === before.index);
  if (slot === undefined) return;
  const failures = slot.renewal.failures + 1;
  const delayMs = backoffMs(failures, turn.state.settings.backoff, turn.random);
  putSlot(turn, { ...slot, renewal: { failures, restUntil: turn.now + delayMs } });
  const fields = { role: slot.role, slot: slot.index, failures, delayMs };
  log(turn, "warn", `${called(slot)} serves on: its successor failed, the next try is in ${delayMs} ms`, fields);
}
