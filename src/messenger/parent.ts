// The contract between the master and the program that forked it. Letters ({ action, data, … }) are for everybody; what is sealed is for parents of
// this package: orders with their answers, and how the service ended.
import type { Outcome } from "../policy/life.ts";
import type { Answer } from "./control.ts";
import { BRAND, isSealed } from "./wire.ts";

/** Where the service is, as egg-cluster says it in `egg-ready`. */
export interface ReadyFacts {
  /** Null for an app that listens on no port. */
  readonly port: number | null;
  /** The inspector's port of the agent, where there are any. */
  readonly debugPort: number | null;
  /** "http://127.0.0.1:7001", or the path of a unix socket; null for an app that listens nowhere. */
  readonly address: string | null;
  readonly protocol: "http" | "https";
}

/** Of a child that ended unasked. */
export interface DeathFacts {
  readonly outcome: Exclude<Outcome, "clean">;
}

/** Sealed, from the parent: a request as a line of the control socket's contract. */
export interface Ask {
  readonly type: "ask";
  readonly id: number;
  readonly line: string;
}

/** Sealed, to the parent. */
export type ToParent =
  | { readonly type: "answer"; readonly id: number; readonly answer: Answer }
  /** The last word before the process ends. */
  | { readonly type: "ended"; readonly exitCode: number; readonly error: EndingError | null };

export interface EndingError {
  readonly name: string;
  readonly code: string | null;
  readonly message: string;
}

export function sealForParent(message: ToParent | Ask): object {
  return { rollcall: BRAND, ...message };
}

/** Opens what a parent has sealed; null for anything that is not exactly right. */
export function openAsk(raw: unknown): Ask | null {
  if (!isSealed(raw) || raw.type !== "ask") return null;
  const { id, line } = raw;
  return Number.isSafeInteger(id) && typeof line === "string" && line.length <= 4_096 ? { type: "ask", id: id as number, line } : null;
}

/** Opens what the master has sealed for its parent. */
export function openFromService(raw: unknown): ToParent | null {
  return isSealed(raw) && (raw.type === "answer" || raw.type === "ended") ? (raw as unknown as ToParent) : null;
}
