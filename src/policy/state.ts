// The service as data: settings, slots, the stop, the rollout. Pure types; the functions beside this file are the only ones that change them.
// Moments are milliseconds of one monotonic clock.
import type { Config } from "../config/config.ts";
import type { ExitReason } from "../errors.ts";
import type { Effect } from "./effects.ts";
import type { StopSignal } from "./events.ts";
import type { Limits, Slot } from "./life.ts";

/** What the policies read of the configuration, with the sizes already worked out. */
export interface Settings
  extends Pick<
      Config,
      | "bootTimeoutMs"
      | "stopTimeoutMs"
      | "drainDelayMs"
      | "drainIdleMs"
      | "rollCallPeriodMs"
      | "failureThreshold"
      | "onException"
      | "lingerMs"
      | "heartbeatTimeoutMs"
      | "backoff"
      | "maxRestarts"
      | "minReady"
      | "agentGraceMs"
      | "settleMs"
      | "surge"
    >,
    // For words only: what a child that is not ready in time was waited for.
    Partial<Pick<Config, "readyWhen" | "ports">> {
  readonly workerCount: number;
  /** What it may be scaled to. */
  readonly mostWorkers: number;
  /** Processors that the service may use, whole ones. */
  readonly cpus: number;
  /** As they were set; each life draws its own from them. */
  readonly limits: Limits;
  /** A worker's share of the container's memory; null without a limit of that. */
  readonly shareBytes: number | null;
  /** How workers listen: whether each slot has a queue of its own on declared ports, and how many slots accept from each; null: nothing is held. */
  readonly listening: { readonly perSlot: boolean; readonly spread: number } | null;
  readonly hasAgent: boolean;
}

export interface RollCall {
  readonly nextAt: number | null;
  readonly lastAt: number;
  readonly strikes: number;
  /** The moment of the last strike allowed: liveness fails from here on. */
  readonly raisedAt: number | null;
  /** Since when, and for how long since the last roll call, no worker was ready. */
  readonly absentSince: number | null;
  readonly absentMs: number;
}

export interface Rollout {
  readonly generation: number;
  /** The agent, where that was asked for, is replaced before any worker. */
  readonly stage: "agent" | "workers";
  /** What was asked for meanwhile: one more reload, with the agent if any of those who asked wished so. */
  readonly queued: { readonly agent: boolean } | null;
}

/** How the last reload ended, for whoever asked for it. */
export interface RolloutOutcome {
  readonly generation: number;
  readonly result: "success" | "failure";
  /** Why it failed, as a sentence; null after a success. */
  readonly why: string | null;
}

export interface Stop {
  readonly reason: ExitReason;
  readonly stage: "delaying" | "workers" | "agent" | "finished";
  readonly delayUntil: number;
  readonly deadlineAt: number;
  readonly forced: boolean;
  /** The first stop signal and when it came: a second one, later than the echo window, makes the stop fast. */
  readonly firstSignalAt: number | null;
  readonly fastSignal: StopSignal | null;
  /** The sockets that the master holds or listens on are still open. */
  readonly holding: boolean;
}

export interface State {
  readonly settings: Settings;
  readonly phase: "booting-agent" | "booting-workers" | "running";
  readonly steppedAt: number;
  readonly nextLife: number;
  /** The number of the newest rollout: what starts now belongs to it. */
  readonly generation: number;
  /** The newest generation that serves, or, while none does, that did last; 0 before the first one. */
  readonly servedGeneration: number;
  readonly workersTarget: number;
  /** How many queues there are, numbered from 0 and never given up before the stop. A declared port has at most one socket for each. */
  readonly queues: number;
  readonly agent: Slot | null;
  readonly workers: readonly Slot[];
  /** Slots that were scaled away, for their counters. */
  readonly retired: readonly Slot[];
  readonly rollCall: RollCall;
  readonly rollout: Rollout | null;
  /** A reload that was asked for while the service starts; it begins when the start is over. */
  readonly earlyReload: { readonly agent: boolean } | null;
  readonly lastRollout: RolloutOutcome | null;
  /** Readiness is false on purpose, until it is taken back. */
  readonly maintenance: boolean;
  readonly stop: Stop | null;
}

/** What a step may know of the moment it runs in. */
export interface Moment {
  readonly now: number;
  /** Uniform in [0, 1), for jitter. */
  readonly random: number;
}

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}
