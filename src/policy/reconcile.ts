// Desired slots and generation against actual ones. One idempotent function serves boot, crash, scale, reload, restart and recycling. Pure.

import type { Role, Slot, Starting, StartReason } from "./life.ts";
import { drawLimits, NO_LIMITS } from "./limits.ts";
import { drainLife } from "./lives.ts";
import { coverQueues, openQueues, queuesAtBirth } from "./queues.ts";
import { continueRollout } from "./rollout.ts";
import { allSlots, isHolding, readyLife } from "./select.ts";
import { readyNotes, scaleProblem } from "./sizing.ts";
import type { State } from "./state.ts";
import { nextSuccessors, replaceInPlace, retirePredecessors } from "./succession.ts";
import { log, putSlot, type Turn, tally } from "./turn.ts";

/** About twice what Node takes to come up with a processor of its own. */
const START_TURN_MS = 100;

/** Brings the actual children nearer to the desired ones. Harmless to call at any time. */
export function reconcile(turn: Turn): void {
  const { stop } = turn.state;
  // While a stop only delays, its workers still accept, and the queues of one that dies are the others'.
  if (stop !== null) return stop.stage === "delaying" ? coverQueues(turn) : undefined;
  advanceBoot(turn);
  openQueues(turn);
  const { agent } = turn.state;
  if (agent !== null && isVacant(turn.state, agent) && turn.now >= agent.restUntil) fork(turn, agent, agent.nextReason);
  if (turn.state.phase === "booting-agent") return;
  fitSlots(turn);
  for (const slot of turn.state.workers.slice(0, turn.state.workersTarget)) {
    if (isVacant(turn.state, slot) && turn.now >= slot.restUntil && turn.now >= nextTurn(turn.state)) fork(turn, slot, slot.nextReason);
  }
  if (turn.state.phase !== "running") return;
  retirePredecessors(turn);
  continueRollout(turn);
  replaceInPlace(turn);
  // Last, when it is known who stays: no queue is left to a worker that was just told to drain.
  coverQueues(turn);
  for (const { slot, reason } of nextSuccessors(turn.state, turn.now)) fork(turn, slot, reason);
}

export function emptySlot(role: Role, index: number, reason: StartReason, now: number): Slot {
  return {
    role,
    index,
    lives: [],
    failures: 0,
    restUntil: now,
    nextReason: reason,
    renewal: { failures: 0, restUntil: now },
    downSince: now,
    lastExit: null,
    restarts: 0,
    endedRequests: 0,
    endedCpuSeconds: 0,
  };
}

/** Changes the number of workers; level-triggered, so any number of calls end in the last target. */
export function scaleTo(turn: Turn, target: number): void {
  const { state } = turn;
  if (state.stop !== null || target === state.workersTarget) return;
  const problem = scaleProblem(target, state.settings.mostWorkers);
  if (problem !== null) return log(turn, "warn", `scale ignored: ${problem}`, { workers: state.workersTarget });
  log(turn, "info", `scale: ${state.workersTarget} → ${target} workers`, { workers: target });
  for (const note of readyNotes(state.settings.minReady, target)) log(turn, "warn", note, { workers: target });
  turn.state = { ...state, workersTarget: target };
}

function advanceBoot(turn: Turn): void {
  const { state } = turn;
  if (state.phase === "booting-agent" && (state.agent === null || readyLife(state.agent) !== null)) {
    turn.state = { ...turn.state, phase: "booting-workers" };
  }
  if (turn.state.phase !== "booting-workers" || turn.state.workers.length < state.workersTarget) return;
  if (turn.state.workers.slice(0, state.workersTarget).every((slot) => readyLife(slot) !== null)) {
    turn.state = { ...turn.state, phase: "running" };
    turn.effects.push({ type: "announce-ready" });
  }
}

/** A slot that comes back goes on with its counters. */
function newSlot(turn: Turn, index: number, reason: StartReason): Slot {
  const before = turn.state.retired.find((slot) => slot.index === index);
  const slot = emptySlot("worker", index, reason, turn.now);
  if (before === undefined) return slot;
  const { restarts, endedRequests, endedCpuSeconds, lastExit } = before;
  return { ...slot, restarts, endedRequests, endedCpuSeconds, lastExit };
}

/** Adds the slots that are missing, drains those that are too many, and forgets the empty ones among these. */
function fitSlots(turn: Turn): void {
  const { workersTarget, workers, retired, phase } = turn.state;
  const reason = phase === "running" ? "scale" : "boot";
  const added: Slot[] = [];
  for (let index = 0; index < workersTarget; index++) {
    if (!workers.some((slot) => slot.index === index)) added.push(newSlot(turn, index, reason));
  }
  const isKept = (slot: Slot): boolean => slot.index < workersTarget || slot.lives.length > 0;
  if (added.length > 0 || !workers.every(isKept)) {
    turn.state = {
      ...turn.state,
      workers: [...workers.filter(isKept), ...added].sort((a, b) => a.index - b.index),
      retired: [...retired.filter((slot) => slot.index >= workersTarget), ...workers.filter((slot) => !isKept(slot))],
    };
  }
  const deadlineAt = turn.now + turn.state.settings.stopTimeoutMs;
  const isServed = countReady(turn.state.workers.slice(0, workersTarget)) >= Math.min(turn.state.settings.minReady, workersTarget);
  for (const slot of turn.state.workers.slice(workersTarget)) {
    // Asked for again before it has gone, the slot is scaled up and has not crashed.
    if (slot.lives.some(isHolding)) putSlot(turn, { ...slot, nextReason: "scale" });
    // Those that stay may be down just now: who serves leaves when they are back.
    for (const life of slot.lives)
      if (isHolding(life) && (isServed || life.state !== "ready")) drainLife(turn, "worker", life.id, "scale", deadlineAt);
  }
}

function countReady(slots: readonly Slot[]): number {
  return slots.filter((slot) => readyLife(slot) !== null).length;
}

function fork(turn: Turn, slot: Slot, reason: StartReason): void {
  const { state } = turn;
  const life: Starting = {
    id: state.nextLife,
    pid: null,
    thread: null,
    generation: state.generation,
    reason,
    forkedAt: turn.now,
    fault: null,
    sample: null,
    queues: queuesAtBirth(state, slot),
    limits: slot.role === "agent" ? NO_LIMITS : drawLimits(state.settings.limits, state.nextLife, turn.random),
    ailments: [],
    state: "starting",
    deadlineAt: turn.now + state.settings.bootTimeoutMs,
  };
  turn.state = { ...state, nextLife: state.nextLife + 1 };
  const isRestart = reason === "crash" || reason === "unresponsive";
  putSlot(turn, { ...slot, lives: [...slot.lives, life], nextReason: "crash", restarts: slot.restarts + (isRestart ? 1 : 0) });
  tally(turn, { metric: "starts", role: slot.role, reason });
  if (isRestart) tally(turn, { metric: "restarts", role: slot.role });
  turn.effects.push({ type: "fork", role: slot.role, slot: slot.index, life: life.id, generation: life.generation, queues: life.queues });
}

/** When a slot wakes that rests, or waits for its turn at the start. */
export function wakeTimes(state: State): readonly number[] {
  const next = nextTurn(state);
  return allSlots(state)
    .filter((slot) => slot.index < state.workersTarget && isVacant(state, slot))
    .map((slot) => (slot.role === "agent" ? slot.restUntil : Math.max(slot.restUntil, next)));
}

/**
 * When the next worker may be forked. At the start there are no more new ones than processors: side by side they would all come late, the first one
 * too. Each has its turn until it is ready, but no longer than Node may take to come up: what an app then waits for is seldom a processor.
 */
function nextTurn({ phase, settings, workers }: State): number {
  if (phase !== "booting-workers") return 0;
  const turns = workers.flatMap(({ lives }) =>
    lives.filter(({ state }) => state === "starting").map(({ forkedAt }) => forkedAt + START_TURN_MS),
  );
  return turns.sort((a, b) => b - a)[settings.cpus - 1] ?? 0;
}

/** Whether a slot may have a next life, but for its rest. Otherwise it waits for an exit, not for the clock. */
function isVacant(state: State, slot: Slot): boolean {
  // One agent: its successor waits until the old one is gone, whatever state that is in.
  // While booting, a life that fails ends the start as soon as it is gone: it gets no successor.
  if (slot.role === "agent" || state.phase !== "running") return slot.lives.length === 0;
  return !slot.lives.some(isHolding);
}
