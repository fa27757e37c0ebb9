// The state as the outside may see it: /status, `SIGUSR2` and the gauges read this, never live objects, never environment values. Pure.

import type { Ailment, LastExit, Life, Outcome, RenewalReason, Role, Slot, StartReason } from "./life.ts";
import { crashLooping } from "./restart.ts";
import { allSlots, isHolding, isLive, isReady, readyLife, type ServiceState, serviceState } from "./select.ts";
import type { State } from "./state.ts";

/** The states of a process in `rollcall_processes`; a slot without any process is in "backoff", or has yet to start. */
export const PROCESS_STATES = ["starting", "ready", "draining", "killing", "backoff"] as const;
export type ProcessState = (typeof PROCESS_STATES)[number];

export interface ProcessView {
  readonly state: ProcessState;
  readonly pid: number | null;
  /** Of a thread of the master, whose pid it has; null for a process of its own. */
  readonly thread: number | null;
  readonly generation: number;
  /** Why it was started. */
  readonly reason: StartReason;
  /** Why it is to be replaced as soon as that may be; null when it is not. */
  readonly renewal: RenewalReason | null;
  /** Seconds since it was started. */
  readonly uptimeSeconds: number;
  /** Seconds since its last heartbeat; null before it is ready. */
  readonly heartbeatAgeSeconds: number | null;
  /** Null for a thread as well: its memory is a part of the master's. */
  readonly residentBytes: number | null;
  readonly heapUsedBytes: number | null;
  readonly heapLimitBytes: number | null;
  readonly eventLoopUtilization: number | null;
  readonly eventLoopLagSeconds: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  readonly requestsInFlight: number | null;
  readonly connections: number | null;
  /** What it depends on and says is not well (`health.set`): its readiness counts for nothing meanwhile. */
  readonly ailments: readonly Ailment[];
}

export interface SlotView {
  readonly role: Role;
  readonly slot: number;
  readonly state: ProcessState | "retired";
  /** Failures in a row; 0 once a life has lasted. */
  readonly failures: number;
  readonly restarts: number;
  /** Seconds until the next life may start; 0 unless in backoff. */
  readonly backoffSeconds: number;
  readonly requests: number;
  readonly cpuSeconds: number;
  /** How the last process that ended here did; null before the first. */
  readonly lastExit: ExitView | null;
  readonly processes: readonly ProcessView[];
}

export interface ExitView {
  readonly outcome: Outcome;
  readonly pid: number | null;
  readonly code: number | null;
  readonly signal: string | null;
  readonly secondsAgo: number;
}

export interface Snapshot {
  readonly state: ServiceState;
  readonly ready: boolean;
  readonly live: boolean;
  /** The newest that a worker was ready in; a reload's own counts from its first ready worker on. */
  readonly generation: number;
  readonly workersTarget: number;
  readonly workersReady: number;
  readonly reloading: boolean;
  /** Readiness is false on purpose, by `rollcall drain`. */
  readonly maintenance: boolean;
  readonly crashLoop: boolean;
  readonly rollCall: { readonly strikes: number; readonly failureThreshold: number; readonly nextInSeconds: number | null };
  readonly agent: SlotView | null;
  readonly workers: readonly SlotView[];
  /** Slots that were scaled away: their counters stay. */
  readonly retired: readonly SlotView[];
}

export function takeSnapshot(state: State, now: number): Snapshot {
  const { rollCall, settings } = state;
  return {
    state: serviceState(state),
    ready: isReady(state, now),
    live: isLive(state),
    generation: state.servedGeneration,
    workersTarget: state.workersTarget,
    workersReady: state.workers.filter((slot) => readyLife(slot) !== null).length,
    reloading: state.rollout !== null,
    maintenance: state.maintenance,
    crashLoop: crashLooping(state) !== null,
    rollCall: {
      strikes: rollCall.strikes,
      failureThreshold: settings.failureThreshold,
      nextInSeconds: rollCall.nextAt === null ? null : seconds(Math.max(0, rollCall.nextAt - now)),
    },
    agent: state.agent === null ? null : viewSlot(state.agent, now),
    workers: state.workers.map((slot) => viewSlot(slot, now)),
    retired: state.retired.map((slot) => ({ ...viewSlot(slot, now), state: "retired", backoffSeconds: 0 })),
  };
}

/** How many processes of a role are in each state. */
export function countProcesses(state: State, role: Role): Readonly<Record<ProcessState, number>> {
  const counts: Record<ProcessState, number> = { starting: 0, ready: 0, draining: 0, killing: 0, backoff: 0 };
  for (const slot of allSlots(state)) {
    if (slot.role !== role) continue;
    for (const life of slot.lives) counts[life.state]++;
    if (slot.lives.length === 0) counts[emptyState(slot)]++;
  }
  return counts;
}

/** A slot without any process rests, but at the start, where its first one waits for a processor. */
function emptyState(slot: Slot): ProcessState {
  return slot.lastExit === null ? "starting" : "backoff";
}

function viewSlot(slot: Slot, now: number): SlotView {
  const holder = slot.lives.find((life) => life.state === "ready") ?? slot.lives.find(isHolding) ?? slot.lives[0];
  return {
    role: slot.role,
    slot: slot.index,
    state: holder?.state ?? emptyState(slot),
    failures: slot.failures,
    restarts: slot.restarts,
    backoffSeconds: slot.lives.some(isHolding) ? 0 : seconds(Math.max(0, slot.restUntil - now)),
    requests: total(slot, "requests", slot.endedRequests),
    cpuSeconds: total(slot, "cpuSeconds", slot.endedCpuSeconds),
    lastExit: viewExit(slot.lastExit, now),
    processes: slot.lives.map((life) => viewProcess(life, now)),
  };
}

function viewExit(exit: LastExit | null, now: number): ExitView | null {
  if (exit === null) return null;
  const { at, ...rest } = exit;
  return { ...rest, secondsAgo: seconds(now - at) };
}

function viewProcess(life: Life, now: number): ProcessView {
  const { sample } = life;
  return {
    state: life.state,
    pid: life.pid,
    thread: life.thread,
    generation: life.generation,
    reason: life.reason,
    renewal: life.state === "ready" ? life.renewal : null,
    uptimeSeconds: seconds(now - life.forkedAt),
    heartbeatAgeSeconds: life.state === "ready" ? seconds(now - life.lastSeenAt) : null,
    residentBytes: life.thread === null ? (sample?.residentBytes ?? null) : null,
    heapUsedBytes: sample?.heapUsedBytes ?? null,
    heapLimitBytes: sample?.heapLimitBytes ?? null,
    eventLoopUtilization: sample?.utilization ?? null,
    eventLoopLagSeconds: sample === null ? null : { p50: sample.lagP50Seconds, p99: sample.lagP99Seconds, max: sample.lagMaxSeconds },
    requestsInFlight: sample?.requestsInFlight ?? null,
    connections: sample?.connections ?? null,
    ailments: life.ailments,
  };
}

/** In whole millionths: a sum in another order, once a life has ended, must not be less by a last bit. Prometheus would take that for a reset. */
function total(slot: Slot, key: "requests" | "cpuSeconds", ended: number): number {
  return Math.round(slot.lives.reduce((sum, life) => sum + (life.sample?.[key] ?? 0), ended) * 1e6) / 1e6;
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1_000;
}
