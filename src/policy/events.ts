// What can happen to the service: past facts, from signals, operators, children and the clock. Pure types.
import type { ExitReason } from "../errors.ts";
import type { Departure, Fault, Role, Sample } from "./life.ts";

export type StopSignal = "SIGTERM" | "SIGINT" | "SIGQUIT";
export type Signal = StopSignal | "SIGHUP" | "SIGTTIN" | "SIGTTOU" | "SIGUSR2";

/** What an operator asks for through the control socket. */
export type Order =
  | { readonly kind: "reload" /** Replaces the agent first. */; readonly agent: boolean }
  | { readonly kind: "restart"; readonly role: Role; readonly slot: number }
  | { readonly kind: "scale"; readonly workers: number }
  | { readonly kind: "maintain"; readonly on: boolean }
  | { readonly kind: "stop"; readonly fast: boolean };

export interface HealthEvent {
  readonly type: "health";
  readonly life: number;
  readonly name: string;
  /** Null where the thing is well. */
  readonly reason: string | null;
  /** False: nothing for the log, which has had enough of it. */
  readonly isTold: boolean;
}

/** Past facts, from signals, operators, children and the clock. */
export type Event =
  | { readonly type: "clock" }
  | { readonly type: "signalled"; readonly signal: Signal }
  | { readonly type: "ordered"; readonly order: Order }
  | { readonly type: "forked"; readonly life: number; readonly pid: number; readonly thread: number | null }
  | { readonly type: "readied"; readonly life: number }
  | { readonly type: "beat"; readonly life: number; readonly sample: Sample }
  | { readonly type: "faulted"; readonly life: number; readonly fault: Fault }
  /** Its channel to the master is closed, and it lives on. */
  | { readonly type: "disconnected"; readonly life: number }
  | { readonly type: "closed"; readonly life: number }
  /** It has nothing left to do, and is not ready. */
  | { readonly type: "idled"; readonly life: number }
  | HealthEvent
  | ({ readonly type: "exited"; readonly life: number } & Departure)
  | { readonly type: "failed"; readonly reason: ExitReason };
