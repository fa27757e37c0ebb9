// What the master accepts on: one socket, and who listens there. Runs in the master.
import type { State } from "../policy/state.ts";
import type { Candidate } from "../sockets/choice.ts";
import type { Where } from "../sockets/incoming.ts";
import type { TcpHandle } from "../sockets/internals.ts";

export interface Place extends Where {
  readonly isDeclared: boolean;
  readonly handle: TcpHandle;
  isListening: boolean;
  isTlsTold: boolean;
  /** The lives in which the app listens there. */
  readonly openers: Set<number>;
  /** While nobody does. */
  cancelTimer: (() => void) | null;
  /** Who may have its connections, with these workers: asked for each of them, and seldom another answer. */
  known: { readonly workers: State["workers"]; readonly candidates: readonly Candidate[] } | null;
}

export function newPlace(place: Pick<Place, "port" | "host" | "isDeclared" | "handle">): Place {
  return { ...place, isListening: false, isTlsTold: false, openers: new Set(), cancelTimer: null, known: null };
}
