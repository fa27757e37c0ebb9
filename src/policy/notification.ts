// What the service manager is told of the state, as sd_notify(3) has it. Pure: from two states to lines.
import { isLive, isReady, serviceState } from "./select.ts";
import { countProcesses } from "./snapshot.ts";
import type { State } from "./state.ts";

/** What a manager was told last. */
export interface Told {
  readonly phase: "starting" | "ready" | "reloading" | "stopping";
  /** Of the reload that it was told of; null: of none now. */
  readonly generation: number | null;
  readonly status: string;
}

export const NOTHING_TOLD: Told = { phase: "starting", generation: null, status: "" };

export interface Notification {
  readonly told: Told;
  /** Null: there is nothing new. */
  readonly text: string | null;
}

/** @param monotonicUs CLOCK_MONOTONIC in microseconds, by which systemd orders a reload and the end of it */
export function notify(told: Told, state: State, now: number, monotonicUs: bigint): Notification {
  const phase = phaseOf(told, state, now);
  const generation = phase === "reloading" ? (state.rollout?.generation ?? null) : null;
  const status = describe(state);
  const lines: string[] = [];
  if (phase !== told.phase && phase === "ready") lines.push("READY=1");
  if (phase !== told.phase && phase === "stopping") lines.push("STOPPING=1");
  // One that was queued follows the other without a pause, and is the one that somebody waits for.
  if (phase === "reloading" && generation !== told.generation) lines.push("RELOADING=1", `MONOTONIC_USEC=${monotonicUs}`);
  if (status !== told.status) lines.push(`STATUS=${status}`, ...patience(phase, state));
  return { told: { phase, generation, status }, text: lines.length === 0 ? null : lines.join("\n") };
}

/** A start or a reload takes its steps one after the other: as long as each comes in its time, it is not stuck. */
function patience(phase: Told["phase"], { settings }: State): readonly string[] {
  if (phase !== "starting" && phase !== "reloading") return [];
  const stepMs = settings.bootTimeoutMs + settings.settleMs + settings.stopTimeoutMs;
  return [`EXTEND_TIMEOUT_USEC=${stepMs * 1_000}`];
}

/** As long as this is true, the watchdog is fed. After the last strike the manager may do what a liveness probe would. */
export function isWatched(state: State): boolean {
  return isLive(state);
}

/** Once ready it stays so for the manager, whatever becomes of readiness: systemd has no word for it but the status. */
function phaseOf(told: Told, state: State, now: number): Told["phase"] {
  if (state.stop !== null) return "stopping";
  // The start is over first, also for who has asked for a reload meanwhile.
  if (told.phase === "starting") return isReady(state, now) ? "ready" : "starting";
  return state.rollout === null ? "ready" : "reloading";
}

function describe(state: State): string {
  const ready = countProcesses(state, "worker").ready;
  const failed =
    state.lastRollout?.result === "failure" && state.rollout === null ? `; the last reload failed: ${state.lastRollout.why}` : "";
  return `${serviceState(state)}: ${ready} of ${state.workersTarget} workers ready, generation ${state.servedGeneration}${failed}`;
}
