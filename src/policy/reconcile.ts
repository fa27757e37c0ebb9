// Desired slots and generation against actual ones. One idempotent function serves boot, crash, scale and reload. Pure.
import { drainLife } from "./lives.ts";
import { continueRollout, nextSuccessors } from "./rollout.ts";
import { isHolding, readyLife } from "./select.ts";
import type { Role, Slot, Starting, StartReason, State } from "./state.ts";
import { log, putSlot, type Turn, tally } from "./turn.ts";

/** Brings the actual children nearer to the desired ones. Harmless to call at any time. */
export function reconcile(turn: Turn): void {
  if (turn.state.stop !== null) return;
  advanceBoot(turn);
  // One agent: its successor waits until the old one is gone, whatever state that is in.
  const { agent } = turn.state;
  if (agent !== null && agent.lives.length === 0 && turn.now >= agent.restUntil) fork(turn, agent, agent.nextReason);
  if (turn.state.phase === "booting-agent") return;
  fitSlots(turn);
  for (const slot of turn.state.workers.slice(0, turn.state.workersTarget)) {
    if (!slot.lives.some(isHolding) && turn.now >= slot.restUntil) fork(turn, slot, slot.nextReason);
  }
  if (turn.state.phase !== "running") return;
  continueRollout(turn);
  for (const slot of nextSuccessors(turn.state)) fork(turn, slot, "reload");
}

export function emptySlot(role: Role, index: number, reason: StartReason, now: number): Slot {
  return {
    role,
    index,
    lives: [],
    failures: 0,
    restUntil: now,
    nextReason: reason,
    downSince: now,
    restarts: 0,
    endedRequests: 0,
    endedCpuSeconds: 0,
  };
}

/** Changes the number of workers; level-triggered, so any number of calls end in the last target. */
export function scaleTo(turn: Turn, target: number): void {
  const { state } = turn;
  if (state.stop !== null || target === state.workersTarget) return;
  if (target < 1) return log(turn, "warn", "scale ignored: at least one worker stays", { workers: state.workersTarget });
  log(turn, "info", `scale: ${state.workersTarget} → ${target} workers`, { workers: target });
  turn.state = { ...state, workersTarget: target };
}

function advanceBoot(turn: Turn): void {
  const { state } = turn;
  if (state.phase === "booting-agent" && (state.agent === null || readyLife(state.agent) !== null)) {
    turn.state = { ...turn.state, phase: "booting-workers" };
  }
  if (turn.state.phase !== "booting-workers" || turn.state.workers.length < state.workersTarget) return;
  if (turn.state.workers.every((slot) => readyLife(slot) !== null)) {
    turn.state = { ...turn.state, phase: "running" };
    turn.effects.push({ type: "announce-ready" });
  }
}

/** Adds the slots that are missing, drains those that are too many, and forgets the empty ones among these. */
function fitSlots(turn: Turn): void {
  const { workersTarget, workers, phase } = turn.state;
  const reason = phase === "running" ? "scale" : "boot";
  const added: Slot[] = [];
  for (let index = 0; index < workersTarget; index++) {
    if (!workers.some((slot) => slot.index === index)) added.push(emptySlot("worker", index, reason, turn.now));
  }
  const kept = workers.filter((slot) => slot.index < workersTarget || slot.lives.length > 0);
  if (added.length > 0 || kept.length < workers.length) {
    turn.state = { ...turn.state, workers: [...kept, ...added].sort((a, b) => a.index - b.index) };
  }
  const deadlineAt = turn.now + turn.state.settings.stopTimeoutMs;
  for (const slot of turn.state.workers.slice(workersTarget)) {
    for (const life of slot.lives) if (isHolding(life)) drainLife(turn, "worker", life.id, "scale", deadlineAt);
  }
}

function fork(turn: Turn, slot: Slot, reason: StartReason): void {
  const { state } = turn;
  const life: Starting = {
    id: state.nextLife,
    pid: null,
    generation: state.generation,
    reason,
    forkedAt: turn.now,
    fault: null,
    sample: null,
    state: "starting",
    deadlineAt: turn.now + state.settings.bootTimeoutMs,
  };
  turn.state = { ...state, nextLife: state.nextLife + 1 };
  const isRestart = reason === "crash" || reason === "unresponsive";
  putSlot(turn, { ...slot, lives: [...slot.lives, life], nextReason: "crash", restarts: slot.restarts + (isRestart ? 1 : 0) });
  tally(turn, { metric: "starts", role: slot.role, reason });
  if (isRestart) tally(turn, { metric: "restarts", role: slot.role });
  turn.effects.push({ type: "fork", role: slot.role, slot: slot.index, life: life.id, generation: life.generation });
}

/** When a resting slot wakes. */
export function wakeTimes(state: State): readonly number[] {
  const slots = state.agent === null ? state.workers : [state.agent, ...state.workers];
  return slots.filter((slot) => !slot.lives.some(isHolding)).map((slot) => slot.restUntil);
}
