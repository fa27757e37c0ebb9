// A connection that the master has accepted, and what is known of its way to a worker. Runs in the master.
import { plainAddress } from "../policy/forwarded.ts";
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

/** The connections of one place that the master holds: those that wait for somebody who may have them, in the order in which they came, and all others. */
export interface Line extends Where {
  readonly waiting: Connection[];
  /** With those that are on their way. */
  held: number;
  /** The life that had the last one. */
  last: number;
  /** How many there were when they were too many, which has been said. */
  fullAt: number | null;
}

export interface Connection {
  readonly incoming: Incoming;
  readonly line: Line;
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

/** Whom it comes from; null: it has gone already. */
export function addressOf(handle: ConnectionHandle): string | null {
  const peer: { address?: string } = {};
  return handle.getpeername(peer) === 0 && peer.address !== undefined ? plainAddress(peer.address) : null;
}
