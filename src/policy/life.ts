// One child as data: its slot, its life, and what it says of itself. Pure types; the functions beside this file are the only ones that change them.
// A life's state carries its own data, so nothing here is "sometimes set". Moments are milliseconds of one monotonic clock.

export type Role = "agent" | "worker";
/** Why a child was started; the label of `rollcall_process_starts_total`. */
export type StartReason = "boot" | "crash" | "reload" | "scale" | "unresponsive" | RenewalReason;
/** Why one child that works is to be replaced: an operator's order, or a limit that it has reached. */
export type RenewalReason = "restart" | "recycle_memory" | "recycle_requests" | "recycle_lifetime";
/** How a child ended; the label of `rollcall_process_exits_total`. "clean" is an asked-for, orderly end. */
export type Outcome = "clean" | "crash" | "boot_failure" | "killed" | "oom" | "unresponsive";

/** What a worker may come to before it is recycled; null: it may go on for ever. */
export interface Limits {
  readonly residentBytes: number | null;
  /** Of its heap, after garbage collection. */
  readonly heapBytes: number | null;
  readonly requests: number | null;
  /** Counted from when it was ready. */
  readonly lifetimeMs: number | null;
}
/** What a child says of itself in every heartbeat. Seconds, bytes and ratios. */
export interface Sample {
  readonly lagP50Seconds: number;
  readonly lagP99Seconds: number;
  readonly lagMaxSeconds: number;
  readonly utilization: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  /** What was used after the last full garbage collection that was seen; 0 before one. */
  readonly heapLiveBytes: number;
  /** V8's limit of the whole heap, old and young. */
  readonly heapLimitBytes: number;
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

/** "taken-back": a successor that is not wanted any more, starting or on trial, where the one that it was to replace serves on. */
export type DrainCause = "stop" | "reload" | "restart" | "recycle" | "scale" | "crash" | "taken-back";
export type KillCause = "boot-timeout" | "unresponsive" | "drain-timeout" | "fast-stop";

/** Something that a child depends on and that is not well, by the child's own word; without a reason it is "". */
export interface Ailment {
  readonly name: string;
  readonly reason: string;
}

interface Identity {
  /** Unique for the master's life; late facts about an old life name it and change nothing. */
  readonly id: number;
  readonly pid: number | null;
  /** Its number among the threads of the master, whose pid it has; null for a process of its own. */
  readonly thread: number | null;
  readonly generation: number;
  readonly reason: StartReason;
  readonly forkedAt: number;
  readonly fault: Fault | null;
  readonly sample: Sample | null;
  /** The held sockets that it accepts from. */
  readonly queues: readonly number[];
  readonly limits: Limits;
  readonly ailments: readonly Ailment[];
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
  /** What it said when that was decided. */
  readonly renewalSample: Sample | null;
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

/** How a process was seen to end: an exit code, or the signal that ended it. */
export interface Departure {
  readonly code: number | null;
  readonly signal: string | null;
  /** The kernel killed it for want of memory. */
  readonly oom: boolean;
}

/** The last life that ended in a slot, for whoever asks why. */
export interface LastExit {
  readonly at: number;
  readonly pid: number | null;
  readonly outcome: Outcome;
  readonly code: number | null;
  readonly signal: string | null;
}

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
  readonly lastExit: LastExit | null;
  /** Lives that replaced one that failed, since the master started. */
  readonly restarts: number;
  /** Requests and CPU seconds of the lives that have ended: counters never go backwards. */
  readonly endedRequests: number;
  readonly endedCpuSeconds: number;
}
