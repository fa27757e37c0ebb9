// One worker replaces another in its slot, successor first where `surge` allows: the same for a reload, a restart and recycling.
// What is wished stands on the state; these functions bring it about, as soon as it may be. Pure.

import type { DrainCause, Life, Ready, Role, Slot, StartReason } from "./life.ts";
import { drainLife } from "./lives.ts";
import { isHolding, readyLife } from "./select.ts";
import type { Rollout, State } from "./state.ts";
import { called, log, naming, putSlot, type Turn } from "./turn.ts";

/** A worker that is to be replaced, and why. */
interface Outgoing {
  readonly slot: Slot;
  readonly life: Ready;
  readonly reason: StartReason;
}

/** The slots that may start a successor beside their worker now. */
export function nextSuccessors(state: State, now: number): readonly Outgoing[] {
  const { rollout, settings } = state;
  if (settings.surge === 0) return [];
  const lives = state.workers.flatMap((slot) => slot.lives);
  const draining = lives.filter((life) => life.state === "draining");
  if (draining.some((life) => life.accepting)) return [];
  if (rollout !== null && lives.some((life) => isFailing(life, rollout.generation))) return [];
  if (rollout !== null && isOnTrial(state, rollout, now)) return [];
  // Only a reload replaces several at once. Every successor will set one more draining: at most one more than these drain at a time.
  const most = rollout === null || !isProven(state, rollout, now) ? 1 : settings.surge;
  const room = Math.min(most, most + 1 - draining.length) - countIncoming(state);
  return outgoing(state, now)
    .filter(({ slot }) => !slot.lives.some((life) => life.state === "starting"))
    .slice(0, Math.max(0, room));
}

/** A ready successor takes the slot: who was there before it drains. */
export function retirePredecessors(turn: Turn): void {
  const deadlineAt = turn.now + turn.state.settings.stopTimeoutMs;
  for (const slot of turn.state.workers) {
    const successor = slot.lives.findLast((life) => life.state === "ready");
    if (successor === undefined) continue;
    const { rollout } = turn.state;
    if (rollout !== null && successor.generation >= rollout.generation && !isProven(turn.state, rollout, turn.now)) continue;
    for (const life of slot.lives)
      if (isHolding(life) && life.id < successor.id) drainLife(turn, slot.role, life.id, causeOf(successor.reason), deadlineAt);
  }
}

/** Surge 0: one worker at a time leaves first, and the reconciliation starts its successor. */
export function replaceInPlace(turn: Turn): void {
  const { rollout, settings, workers } = turn.state;
  if (settings.surge > 0 || countIncoming(turn.state) > 0) return;
  if (rollout !== null && isOnTrial(turn.state, rollout, turn.now)) return;
  // Outside a reload nothing hurries, and where there is no surge memory is short: who drains goes first.
  if (rollout === null && workers.some((slot) => slot.lives.some((life) => life.state === "draining"))) return;
  const [next] = outgoing(turn.state, turn.now);
  if (next !== undefined) leave(turn, next.slot, next.life, next.reason);
}

/** Whether a worker of the new generation has stayed ready for long enough that the others may follow. */
function isProven(state: State, rollout: Rollout, now: number): boolean {
  return state.settings.settleMs === 0 || now >= provenAt(state, rollout);
}

/** Whether the new generation's first worker is there, starting or ready, and has to show first that it stays. */
function isOnTrial(state: State, rollout: Rollout, now: number): boolean {
  const isThere = state.workers.some((slot) => slot.lives.some((life) => isHolding(life) && life.generation >= rollout.generation));
  return isThere && !isProven(state, rollout, now);
}

/** When the first worker of the new generation will have been ready for long enough. */
export function provenAt({ workers, settings }: State, { generation }: Rollout): number {
  const moments = workers.flatMap(({ lives }) =>
    lives.map((life) => (life.state === "ready" && life.generation >= generation ? life.readyAt : Number.POSITIVE_INFINITY)),
  );
  return Math.min(...moments) + settings.settleMs;
}

/** A life leaves its slot to the next one, which the reconciliation starts when the slot is vacant. */
export function leave(turn: Turn, slot: Slot, life: Life, reason: StartReason): void {
  putSlot(turn, { ...slot, nextReason: reason });
  drainLife(turn, slot.role, life.id, causeOf(reason), turn.now + turn.state.settings.stopTimeoutMs);
}

/** A slot without a life starts at once, its failures forgiven. */
export function startAtOnce(turn: Turn, slot: Slot, reason: StartReason): void {
  putSlot(turn, { ...slot, failures: 0, restUntil: turn.now, nextReason: reason });
}

/** An operator's order: one worker is replaced as in a reload, or the agent as it must be, the old one first. */
export function restartChild(turn: Turn, role: Role, index: number): void {
  const { state } = turn;
  if (state.stop !== null) return;
  if (state.phase !== "running") return log(turn, "warn", "restart ignored: the service is still starting");
  const workers = state.workers.filter((each) => each.index < state.workersTarget);
  const slot = role === "agent" ? state.agent : workers.find((each) => each.index === index);
  if (slot == null) return log(turn, "warn", `restart ignored: there is no ${called({ role, index })}`, { role, slot: index });
  const life = slot.lives.findLast(isHolding);
  if (life === undefined) {
    log(turn, "info", `restart: ${called(slot)} starts now`, { role, slot: index });
    return startAtOnce(turn, slot, "restart");
  }
  if (life.state !== "ready") return log(turn, "info", `restart ignored: ${called(slot)} is starting`, naming(slot, life));
  log(turn, "info", `restart: ${called(slot)} is replaced`, naming(slot, life));
  if (slot.role === "agent") return leave(turn, slot, life, "restart");
  // With one on trial, whichever of the two stays: a trial that fails leaves the old one.
  const lives = slot.lives.map((each) => (each.state === "ready" ? { ...each, renewal: "restart" as const } : each));
  putSlot(turn, { ...slot, lives, renewal: { failures: 0, restUntil: turn.now } });
}

/** When renewals that wait for their backoff may start. */
export function renewalTimes(state: State, now: number): readonly number[] {
  return state.workers
    .filter((slot) => slot.renewal.restUntil > now && (readyLife(slot)?.renewal ?? null) !== null)
    .map((slot) => slot.renewal.restUntil);
}

export function isBehind(slot: Slot, generation: number): boolean {
  return slot.lives.some((life) => isHolding(life) && life.generation < generation);
}

/** Who is to be replaced and may be now. During a rollout these are its workers and no others: it replaces everybody anyway. */
function outgoing(state: State, now: number): readonly Outgoing[] {
  const { rollout } = state;
  const workers = state.workers.filter((slot) => slot.index < state.workersTarget);
  const isWhole = workers.every((slot) => readyLife(slot) !== null);
  const found: Outgoing[] = [];
  for (const slot of workers) {
    const life = readyLife(slot);
    if (life === null) continue;
    const reason =
      rollout === null ? renewalOf(slot, life, now) : rollout.stage === "workers" && isBehind(slot, rollout.generation) && "reload";
    // A slot that is down may be one that the new generation brought down, or have no memory to start: first it must be back. An operator knows.
    if (reason && (isWhole || reason === "restart")) found.push({ slot, life, reason });
  }
  if (rollout !== null) return found;
  // The oldest first, so that a slot that soon reaches its limit again does not keep the others from their turn.
  return found.sort((a, b) => Number(b.reason === "restart") - Number(a.reason === "restart") || a.life.id - b.life.id);
}

function renewalOf(slot: Slot, life: Ready, now: number): StartReason | null {
  return now < slot.renewal.restUntil ? null : life.renewal;
}

/** Successors that are starting, whether their predecessor is still there or not. */
function countIncoming(state: State): number {
  return state.workers.flatMap((slot) => slot.lives).filter((life) => life.state === "starting" && isPlanned(life.reason)).length;
}

function isPlanned(reason: StartReason): boolean {
  return reason === "reload" || reason === "restart" || reason.startsWith("recycle_");
}

/** Killed before it was ready; its exit will end the rollout. */
function isFailing(life: Life, generation: number): boolean {
  return life.state === "killing" && life.readyAt === null && life.generation >= generation;
}

function causeOf(reason: StartReason): DrainCause {
  return reason === "reload" || reason === "restart" ? reason : "recycle";
}
