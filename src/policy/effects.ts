// What a step wants done: orders for the outside world, log lines and counts. Pure types; the master performs them in their order.
import type { Signal } from "./events.ts";
import type { Outcome, Role, StartReason } from "./life.ts";

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
  /** Nobody accepts after the last ones. */
  | { readonly type: "drain"; readonly life: number; readonly budgetMs: number; readonly idleMs: number; readonly isLast: boolean }
  /** SIGKILL; where it is to be examined, what it hangs on is found out first, within a moment. */
  | { readonly type: "kill"; readonly life: number; readonly examine: boolean }
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
