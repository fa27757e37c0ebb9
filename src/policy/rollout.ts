// The rolling reload: one generation replaces another slot by slot, successor first; a bad generation never replaces a good one. Pure.
import { drainLife } from "./lives.ts";
import { isHolding, readyLife } from "./select.ts";
import type { Life, Rollout, Slot, State } from "./state.ts";
import { called, log, type Turn, tally } from "./turn.ts";

/** Starts a reload, or queues one behind the running one: any number of requests meanwhile are one. */
export function beginReload(turn: Turn): void {
  const { state } = turn;
  if (state.stop !== null) return;
  if (state.phase !== "running") return log(turn, "warn", "reload ignored: the service is still starting");
  if (state.rollout !== null) {
    if (!state.rollout.queued) log(turn, "info", "reload queued behind the running one", { generation: state.rollout.generation });
    turn.state = { ...state, rollout: { ...state.rollout, queued: true } };
    return;
  }
  const generation = state.generation + 1;
  turn.state = { ...state, generation, rollout: { generation, queued: false } };
  log(turn, "info", `reload: generation ${generation}`, { generation });
}

/** The slots that may start their successor now, within `surge`. */
export function nextSuccessors(state: State): readonly Slot[] {
  const { rollout, settings } = state;
  if (rollout === null || settings.surge === 0) return [];
  const lives = state.workers.flatMap((slot) => slot.lives);
  const starting = lives.filter((life) => life.state === "starting" && life.reason === "reload").length;
  const draining = lives.filter((life) => life.state === "draining");
  // A slot that is down may be one that the new generation brought down: first it must be back.
  if (state.workers.some((slot) => slot.index < state.workersTarget && readyLife(slot) === null)) return [];
  if (draining.some((life) => life.accepting) || lives.some((life) => isFailing(life, rollout.generation))) return [];
  // Every successor will set one more draining: at most surge + 1 drain at a time.
  const room = Math.min(settings.surge, settings.surge + 1 - draining.length) - starting;
  return state.workers
    .filter((slot) => isBehind(slot, rollout.generation) && !slot.lives.some((life) => life.state === "starting"))
    .slice(0, Math.max(0, room));
}

/** Drains what has a ready successor, replaces in place where no surge is allowed, and ends the rollout when every slot runs the new generation. */
export function continueRollout(turn: Turn): void {
  const { rollout, settings } = turn.state;
  if (rollout === null || turn.state.stop !== null) return;
  const deadlineAt = turn.now + settings.stopTimeoutMs;
  for (const slot of turn.state.workers) {
    const successor = slot.lives.find((life) => life.state === "ready" && life.generation >= rollout.generation);
    if (successor === undefined) continue;
    for (const life of slot.lives)
      if (isHolding(life) && life.generation < rollout.generation) drainLife(turn, "worker", life.id, "reload", deadlineAt);
  }
  if (settings.surge === 0) replaceInPlace(turn, rollout.generation, deadlineAt);
  const finished = turn.state.workers.every((slot) => {
    const life = readyLife(slot);
    return life !== null && life.generation >= rollout.generation && !isBehind(slot, rollout.generation);
  });
  if (finished) endRollout(turn, rollout, null);
}

/** A worker of the new generation that fails, before it was ready or after, ends the reload: the old workers stay, other successors go. */
export function abortRollout(turn: Turn, slot: Slot, life: Life): void {
  const { rollout } = turn.state;
  if (rollout === null || slot.role !== "worker" || life.generation < rollout.generation) return;
  const why = `${called(slot)} of generation ${life.generation} failed`;
  log(turn, "error", `reload aborted: ${why}; the old workers keep serving`, { generation: life.generation });
  const deadlineAt = turn.now + turn.state.settings.stopTimeoutMs;
  for (const other of turn.state.workers) {
    if (!isBehind(other, rollout.generation)) continue;
    for (const successor of other.lives)
      if (successor.generation >= rollout.generation) drainLife(turn, "worker", successor.id, "reload", deadlineAt);
  }
  endRollout(turn, rollout, why);
}

function endRollout(turn: Turn, { generation, queued }: Rollout, why: string | null): void {
  const result = why === null ? "success" : "failure";
  turn.state = { ...turn.state, rollout: null, lastRollout: { generation, result, why } };
  tally(turn, { metric: "reloads", result });
  if (result === "success")
    log(turn, "info", `reload done: every worker runs generation ${turn.state.generation}`, { generation: turn.state.generation });
  if (queued) beginReload(turn);
}

function isBehind(slot: Slot, generation: number): boolean {
  return slot.lives.some((life) => isHolding(life) && life.generation < generation);
}

/** Killed before it was ready; its exit will end the rollout. */
function isFailing(life: Life, generation: number): boolean {
  return life.state === "killing" && life.readyAt === null && life.generation >= generation;
}

/** Surge 0: one worker at a time leaves first, and the reconciliation starts its successor. */
function replaceInPlace(turn: Turn, generation: number, deadlineAt: number): void {
  const { workers } = turn.state;
  if (workers.some((slot) => readyLife(slot) === null)) return;
  const slot = workers.find((candidate) => isBehind(candidate, generation));
  const life = slot === undefined ? null : readyLife(slot);
  if (slot === undefined || life === null) return;
  putReason(turn, slot);
  drainLife(turn, "worker", life.id, "reload", deadlineAt);
}

function putReason(turn: Turn, slot: Slot): void {
  turn.state = {
    ...turn.state,
    workers: turn.state.workers.map((other) => (other.index === slot.index ? { ...other, nextReason: "reload" as const } : other)),
  };
}
