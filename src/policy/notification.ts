// What the service manager is told of the state, as sd_notify(3) has it. Pure: from two states to lines.
import { isLive, isReady, serviceState } from "./select.ts";
import { countProcesses } from "./snapshot.ts";
import type { State } from "./state.ts";

/** What a manager was told last. */
export interface Told {
  readonly phase: "starting" | "ready" | "reloading" | "stopping";
  readonly status: string;
}

export const NOTHING_TOLD: Told = { phase: "starting", status: "" };

export interface Notification {
  readonly told: Told;
  /** Null: there is nothing new. */
  readonly text: string | null;
}

/** @param monotonicUs CLOCK_MONOTONIC in microseconds, by which systemd orders a reload and the end of it */
export function notify(told: Told, state: State, now: number, monotonicUs: bigint): Notification {
  const phase = phaseOf(told, state, now);
  const status = describe(state);
  const lines: string[] = [];
  if (phase !== told.phase) {
    if (phase === "ready") lines.push("READY=1");
    if (phase === "reloading") lines.push("RELOADING=1", `MONOTONIC_USEC=${monotonicUs}`);
    if (phase === "stopping") lines.push("STOPPING=1");
  }
  if (status !== told.status) lines.push(`STATUS=${status}`);
  return { told: { phase, status }, text: lines.length === 0 ? null : lines.join("\n") };
}

/** As long as this is true, the watchdog is fed. After the last strike the manager may do what a liveness probe would. */
export function isWatched(state: State): boolean {
  return isLive(state);
}

/** Once ready it stays so for the manager, whatever becomes of readiness: systemd has no word for it but the status. */
function phaseOf(told: Told, state: State, now: number): Told["phase"] {
  if (state.stop !== null) return "stopping";
  if (state.rollout !== null) return "reloading";
  if (told.phase !== "starting") return "ready";
  return isReady(state, now) ? "ready" : "starting";
}

function describe(state: State): string {
  const ready = countProcesses(state, "worker").ready;
  const failed =
    state.lastRollout?.result === "failure" && state.rollout === null ? `; the last reload failed: ${state.lastRollout.why}` : "";
  return `${serviceState(state)}: ${ready} of ${state.workersTarget} workers ready, generation ${state.servedGeneration}${failed}`;
}
