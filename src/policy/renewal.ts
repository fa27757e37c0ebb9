// When one worker is to be replaced by a new one, and how long a slot waits in which that came to nothing. Pure.

import type { Life, Ready, Slot } from "./life.ts";
import { limitReached } from "./limits.ts";
import { backoffMs, isShortLived } from "./restart.ts";
import { hasPredecessor } from "./select.ts";
import { called, log, naming, putLife, putSlot, type Turn } from "./turn.ts";

/** A worker that has grown by so much while it waits for its recycle, and is near its share or has too full a heap, leaks: waiting would end in an OOM. */
const GROWTH = 1.05;
const NEAR = 0.95;
const MIB = 1024 * 1024;

/** At a heartbeat: a worker that has reached one of its limits is to be recycled. */
export function noteLimits(turn: Turn, slot: Slot, life: Ready): void {
  if (turn.state.stop !== null) return;
  if (life.renewal !== null) return hurryLeak(turn, slot, life);
  const reached = limitReached(life, turn.now);
  if (reached === null) return;
  const { backoff } = turn.state.settings;
  // A worker that is too large soon after its start would be so again: without a wait, workers would do nothing but start.
  const isHasty = reached.reason === "recycle_memory" && isShortLived(life, backoff, turn.now);
  const failures = isHasty ? slot.renewal.failures + 1 : 0;
  const delayMs = backoffMs(failures, backoff, turn.random);
  const marked = putLife(turn, slot, { ...life, renewal: reached.reason, renewalSample: life.sample });
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

/** The wait between hasty recycles is for an app that needs more than its limit, and stays there. One that goes on growing has no time for it. */
function hurryLeak(turn: Turn, slot: Slot, life: Ready): void {
  const { sample, renewalSample: marked, limits } = life;
  if (life.renewal !== "recycle_memory" || sample === null || marked === null || turn.now >= slot.renewal.restUntil) return;
  const { shareBytes } = turn.state.settings;
  const isOver = (bytes: number, before: number, most: number | null) => most !== null && bytes >= most && bytes >= GROWTH * before;
  const leaksOutside = isOver(sample.residentBytes, marked.residentBytes, shareBytes === null ? null : NEAR * shareBytes);
  if (!leaksOutside && !isOver(sample.heapLiveBytes, marked.heapLiveBytes, limits.heapBytes)) return;
  putSlot(turn, { ...slot, renewal: { ...slot.renewal, restUntil: turn.now } });
  const [what, bytes] = leaksOutside ? ["memory", sample.residentBytes] : ["heap", sample.heapLiveBytes];
  log(turn, "warn", `${called(slot)} is recycled without more delay: its ${what} has grown to ${Math.round(bytes / MIB)} MiB meanwhile`, {
    ...naming(slot, life),
    reason: life.renewal,
  });
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
