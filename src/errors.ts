// The vocabulary of failure: the exit codes and the one error class. Runs everywhere; imports nothing.

/** What the master's exit code says about how it ended. 128 + n (fast stop by a second signal n) is not listed: it is computed. */
export const EXIT_CODES = {
  ok: 0,
  internal: 1,
  usage: 2,
  "worker-boot": 3,
  "agent-boot": 4,
  "roll-call": 5,
  "crash-loop": 6,
  "port-conflict": 7,
  forced: 8,
  "master-lost": 110,
} as const;

export type ExitReason = keyof typeof EXIT_CODES;

/** One sentence for each exit code, for the help text and the docs. */
export const EXIT_MEANINGS: Readonly<Record<ExitReason, string>> = {
  ok: "clean stop",
  internal: "unexpected internal error",
  usage: "usage or configuration",
  "worker-boot": "a worker failed to boot at start",
  "agent-boot": "the agent failed to boot at start",
  "roll-call": "roll call: third strike",
  "crash-loop": "crash loop",
  "port-conflict": "a port is taken",
  forced: "stopped, but something had to be SIGKILLed at the deadline",
  "master-lost": "a child whose master died",
};

export type ErrorCode =
  | "ERR_CONFIG"
  | "ERR_PORT_CONFLICT"
  | "ERR_PORT_PERMISSION"
  | "ERR_PORT_ADDRESS"
  | "ERR_WORKER_BOOT"
  | "ERR_AGENT_BOOT"
  | "ERR_ROLL_CALL"
  | "ERR_CRASH_LOOP"
  | "ERR_INTERNAL";

/**
 * An error that Rollcall explains itself: what was expected, what came, what to do.
 * Code checks `code`, never `instanceof`; `name` keeps egg-cluster's names where it had one.
 */
export class ClusterError extends Error {
  readonly code: ErrorCode;
  readonly reason: ExitReason;

  constructor(code: ErrorCode, message: string, options: { name?: string; reason: ExitReason; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = options.name ?? "ClusterError";
    this.code = code;
    this.reason = options.reason;
  }
}
