// A connection that the master has accepted, and what is known of its way to a worker. Runs in the master.
import type { ConnectionHandle } from "./internals.ts";

/** What the app listens on. */
export interface Where {
  readonly port: number;
  readonly host: string | null;
}

export interface Incoming extends Where {
  readonly handle: ConnectionHandle;
  /** What the choice may go by. */
  readonly client: string;
  /** What was read of it already, as latin1. */
  readonly text: string;
}

export interface Connection {
  readonly incoming: Incoming;
  /** The how many-th it is. */
  readonly arrival: number;
  readonly refusedBy: Set<number>;
  /** How often a worker heard of it too late: one that is always slow gets more time. */
  lates: number;
  /** Since when there is no descriptor for it, if there is none. */
  missedSince: number | null;
}

export function placeOf({ port, host }: Where): string {
  return `${port} ${host ?? ""}`;
}
