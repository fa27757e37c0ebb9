// The service as data: slots, lives, the stop, the rollout. Pure types; the functions beside this file are the only ones that change them.
// Moments are milliseconds of one monotonic clock; a state carries its own data, so nothing here is "sometimes set".
import type { Config } from "../config/config.ts";
import type { ExitReason } from "../errors.ts";

export type Role = "agent" | "worker";
/** Why a child was started; the label of `rollcall_process_starts_total`. */
export type StartReason = "boot" | "crash" | "reload" | "scale" | "unresponsive" | RenewalReason;
/** Why one child that works is to be replaced: an operator's order, or a limit that it has reached. */
export type RenewalReason = "restart" | "recycle_memory" | "recycle_requests" | "recycle_lifetime";
/** How a child ended; the label of `rollcall_process_exits_total`. "clean" is an asked-for, orderly end. */
export type Outcome = "clean" | "crash" | "boot_failure" | "killed" | "oom";

/** What a worker may come to before it is recycled; null: it may go on for ever. */
export interface Limits {
  readonly residentBytes: number | null;
  readonly requests: number | null;
  /** Counted from when it was ready. */
  readonly lifetimeMs: number | null;
}

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
  /** As they were set; each life draws its own from them. */
  readonly limits: Limits;
  /** How workers listen: whether each slot has a queue of its own on declared ports, and how many slots accept from each; null: nothing is held. */
  readonly listening: { readonly perSlot: boolean; readonly spread: number } | null;
  readonly hasAgent: boolean;
}

/** What a child says of itself in every heartbeat. Seconds, bytes and ratios. */
export interface Sample {
  readonly lagP50Seconds: number;
  readonly lagP99Seconds: number;
  readonly lagMaxSeconds: number;
  readonly utilization: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  readonly cpuSeconds: number;
  readonly requestsInFlight: number;
  readonly requests: number;
  readonly connections: number;
}

/** An error that a child reported before it went down. */
export interface Fault {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly code: string | null;
  readonly port: number | null;
}

export type DrainCause = "stop" | "reload" | "restart" | "recycle" | "scale" | "crash";
export type KillCause = "boot-timeout" | "unresponsive" | "drain-timeout" | "fast-stop";

interface Identity {
  /** Unique for the master's life; late facts about an old life name it and change nothing. */
  readonly id: number;
  readonly pid: number | null;
  readonly generation: number;
  readonly reason: StartReason;
  readonly forkedAt: number;
  readonly fault: Fault | null;
  readonly sample: Sample | null;
  /** The held sockets that it accepts from. */
  readonly queues: readonly number[];
  readonly limits: Limits;
}
export interface Starting extends Identity {
  readonly state: "starting";
  readonly deadlineAt: number;
}
export interface Ready extends Identity {
  readonly state: "ready";
  readonly readyAt: number;
  readonly lastSeenAt: number;
  /** Its silence was already reported. */
  readonly suspected: boolean;
  /** Why it is to be replaced as soon as that may be; the wish ends with the life. */
  readonly renewal: RenewalReason | null;
}
export interface Draining extends Identity {
  readonly state: "draining";
  readonly readyAt: number | null;
  readonly cause: DrainCause;
  readonly drainAt: number;
  readonly deadlineAt: number;
  readonly accepting: boolean;
}
export interface Killing extends Identity {
  readonly state: "killing";
  readonly readyAt: number | null;
  readonly cause: KillCause;
}
export type Life = Starting | Ready | Draining | Killing;

export interface Slot {
  readonly role: Role;
  readonly index: number;
  /** The serving life and, while it is being replaced, its predecessor or successor. */
  readonly lives: readonly Life[];
  /** Consecutive lives that never got ready or ended too soon after it. */
  readonly failures: number;
  /** Backoff: no new life before this moment. Worked out when a life ends. */
  readonly restUntil: number;
  readonly nextReason: StartReason;
  /** Renewals in a row that came to nothing (a successor failed to boot, or soon was too large itself), and when the next one may start. */
  readonly renewal: { readonly failures: number; readonly restUntil: number };
  /** Since when no life of this slot is ready. */
  readonly downSince: number | null;
  /** Lives that replaced one that failed, since the master started. */
  readonly restarts: number;
  /** Requests and CPU seconds of the lives that have ended: counters never go backwards. */
  readonly endedRequests: number;
  readonly endedCpuSeconds: number;
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
  /** The held sockets are still open. */
  readonly holding: boolean;
}

export interface State {
  readonly settings: Settings;
  readonly phase: "booting-agent" | "booting-workers" | "running";
  readonly steppedAt: number;
  readonly nextLife: number;
  /** The number of the newest rollout: what starts now belongs to it. */
  readonly generation: number;
  /** The newest generation that a worker was ready in; 0 before the first one. */
  readonly servedGeneration: number;
  readonly workersTarget: number;
  /** How many queues there are, numbered from 0 and never given up before the stop. A port has at most one socket for each. */
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

export type StopSignal = "SIGTERM" | "SIGINT" | "SIGQUIT";
export type Signal = StopSignal | "SIGHUP" | "SIGTTIN" | "SIGTTOU" | "SIGUSR2";

/** What an operator asks for through the control socket. */
export type Order =
  | { readonly kind: "reload" /** Replaces the agent first. */; readonly agent: boolean }
  | { readonly kind: "restart"; readonly role: Role; readonly slot: number }
  | { readonly kind: "scale"; readonly workers: number }
  | { readonly kind: "maintain"; readonly on: boolean }
  | { readonly kind: "stop"; readonly fast: boolean };

/** Past facts, from signals, operators, children and the clock. */
export type Event =
  | { readonly type: "clock" }
  | { readonly type: "signalled"; readonly signal: Signal }
  | { readonly type: "ordered"; readonly order: Order }
  | { readonly type: "forked"; readonly life: number; readonly pid: number }
  | { readonly type: "readied"; readonly life: number }
  | { readonly type: "beat"; readonly life: number; readonly sample: Sample }
  | { readonly type: "faulted"; readonly life: number; readonly fault: Fault }
  | { readonly type: "closed"; readonly life: number }
  | {
      readonly type: "exited";
      readonly life: number;
      readonly code: number | null;
      readonly signal: string | null;
      readonly oom: boolean;
    }
  | { readonly type: "failed"; readonly reason: ExitReason };

export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";

/** Counters and histograms that a step may touch, with their bounded labels. */
export type Tally =
  | { readonly metric: "starts"; readonly role: Role; readonly reason: StartReason }
  | { readonly metric: "exits"; readonly role: Role; readonly outcome: Outcome }
  | { readonly metric: "restarts"; readonly role: Role }
  | { readonly metric: "boot-seconds"; readonly role: Role; readonly value: number }
  | { readonly metric: "drain-seconds"; readonly role: Role; readonly value: number }
  | { readonly metric: "roll-calls"; readonly result: "success" | "failure" }
  | { readonly metric: "reloads"; readonly result: "success" | "failure" }
  | { readonly metric: "signals"; readonly signal: Signal };

/** Orders for the outside world, performed by the master in this order. */
export type Effect =
  | {
      readonly type: "fork";
      readonly role: Role;
      readonly slot: number;
      readonly life: number;
      readonly generation: number;
      readonly queues: readonly number[];
    }
  | { readonly type: "open-queue"; readonly queue: number }
  | { readonly type: "adopt" | "release"; readonly life: number; readonly queue: number }
  | { readonly type: "close-queues" }
  | { readonly type: "drain"; readonly life: number; readonly budgetMs: number; readonly idleMs: number }
  | { readonly type: "kill"; readonly life: number }
  | {
      readonly type: "log";
      readonly level: LogLevel;
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  | { readonly type: "tally"; readonly tally: Tally }
  | { readonly type: "print-status" }
  | { readonly type: "announce-ready" }
  | { readonly type: "exit"; readonly code: number };

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
