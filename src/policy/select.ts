// Questions about a state: who is ready, is the service ready, is it live. Pure; probes, metrics and policies ask the same functions.
import type { Life, Ready, Slot } from "./life.ts";
import type { Settings, State } from "./state.ts";

/** A child that is silent for half of its heartbeat timeout is suspected: it no longer counts as responsive. */
const SUSPECT_SHARE = 0.5;

export function allSlots(state: State): readonly Slot[] {
  return state.agent === null ? state.workers : [state.agent, ...state.workers];
}

export function findLife(state: State, id: number): { readonly slot: Slot; readonly life: Life } | null {
  for (const slot of allSlots(state)) for (const life of slot.lives) if (life.id === id) return { slot, life };
  return null;
}

export function readyLife(slot: Slot): Ready | null {
  for (const life of slot.lives) if (life.state === "ready") return life;
  return null;
}

/** Whether a life holds the slot: it serves, or will. Draining and dying lives do not. */
export function isHolding(life: Life): boolean {
  return life.state === "starting" || life.state === "ready";
}

/** Whether an older life still holds the slot: then this one is its successor, whatever it was started for. */
export function hasPredecessor(slot: Slot, life: Life): boolean {
  return slot.lives.some((other) => other.id < life.id && isHolding(other));
}

export function suspectAfterMs(settings: Settings): number {
  return settings.heartbeatTimeoutMs * SUSPECT_SHARE;
}

export function isResponsive(life: Ready, settings: Settings, now: number): boolean {
  return now - life.lastSeenAt < suspectAfterMs(settings);
}

export function countReadyWorkers(state: State): number {
  return state.workers.filter((slot) => readyLife(slot) !== null).length;
}

export function countResponsiveWorkers(state: State, now: number): number {
  return state.workers.filter((slot) => {
    const life = readyLife(slot);
    return life !== null && isResponsive(life, state.settings, now);
  }).length;
}

/** The start needs the processors less: a first worker is ready and none is still to be forked. Or it has come to nothing. */
export function hasStarted({ phase, stop, workers, workersTarget }: State): boolean {
  if (phase === "running" || stop !== null) return true;
  const slots = workers.slice(0, workersTarget);
  return slots.length === workersTarget && slots.every(({ lives }) => lives.length > 0) && slots.some((slot) => readyLife(slot) !== null);
}

/** Ready, and so is what it depends on, by its own word. */
function isWell(slot: Slot): boolean {
  return readyLife(slot)?.ailments.length === 0;
}

/** Whether a process of this slot and generation is not ready yet. */
export function isStarting({ workers }: State, { slot, generation }: { readonly slot: number; readonly generation: number }): boolean {
  const lives = workers.find(({ index }) => index === slot)?.lives ?? [];
  return lives.some((life) => life.state === "starting" && life.generation === generation);
}

/** Every slot has a ready worker, and nobody is on the way. */
export function isWhole({ phase, workers, workersTarget }: State): boolean {
  const slots = workers.slice(0, workersTarget);
  if (phase !== "running" || slots.length < workersTarget) return false;
  return slots.every((slot) => readyLife(slot) !== null && !slot.lives.some((life) => life.state === "starting"));
}

/** Readiness: event-driven, not sampled. */
export function isReady(state: State, now: number): boolean {
  if (state.phase !== "running" || state.stop !== null || state.maintenance) return false;
  if (state.workers.filter(isWell).length < Math.min(state.settings.minReady, state.workersTarget)) return false;
  const { agent } = state;
  if (agent === null) return true;
  if (readyLife(agent) !== null) return isWell(agent);
  return agent.downSince !== null && now - agent.downSince < state.settings.agentGraceMs;
}

/** Liveness: true until the roll call's last strike, and through a graceful stop. */
export function isLive(state: State): boolean {
  return state.rollCall.raisedAt === null;
}

/** One word for the whole service; the label of `rollcall_state`. */
export type ServiceState = "starting" | "running" | "reloading" | "stopping";
export const SERVICE_STATES: readonly ServiceState[] = ["starting", "running", "reloading", "stopping"];

export function serviceState(state: State): ServiceState {
  if (state.stop !== null) return "stopping";
  if (state.phase !== "running") return "starting";
  return state.rollout === null ? "running" : "reloading";
}
