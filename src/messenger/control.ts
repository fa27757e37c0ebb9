// The contract of the control socket: one request line, then lines of answers, JSON each. Both sides: the master and the commands.

import { MOST_WORKERS } from "../config/kinds.ts";
import type { Order } from "../policy/events.ts";
import type { ChildStep } from "../policy/progress.ts";

/** The first field of every line. Another version means another contract. */
const CONTROL_VERSION = 1;
/** A request is a hundred bytes; nobody needs more than this. */
export const MAX_REQUEST_BYTES: number = 64 * 1024;

export type Request =
  | { readonly command: "status" }
  /** `change`: relative to the target at the moment that the order arrives. */
  | { readonly command: "scale"; readonly workers: number; readonly change: boolean }
  | { readonly command: "reload"; readonly agent: boolean }
  | { readonly command: "restart"; readonly role: "agent" | "worker"; readonly slot: number }
  | { readonly command: "drain" | "undrain" }
  | { readonly command: "stop"; readonly fast: boolean };

export type Command = Request["command"];
const CONTROL_COMMANDS: readonly Command[] = ["status", "reload", "scale", "restart", "drain", "undrain", "stop"];

/** What the master says. `error` (not understood), `status`, `done`, `failed` and `ended` are last lines. */
export type Answer =
  | { readonly event: "error"; readonly message: string }
  | { readonly event: "status"; readonly status: object }
  | {
      readonly event: "accepted";
      readonly command: Command;
      readonly pid: number;
      /** Of a reload: the generation that every slot will run. */
      readonly generation?: number;
      /** Of a reload: another one goes first. */
      readonly queued?: boolean;
      /** Of a scale: the number that it comes to. */
      readonly workers?: number;
    }
  | ({ readonly event: "step" } & ChildStep)
  | { readonly event: "log"; readonly level: string; readonly message: string }
  | { readonly event: "done"; readonly command: Command }
  | { readonly event: "failed"; readonly command: Command; readonly why: string }
  | { readonly event: "ended"; readonly exitCode: number };

export type Parsed = { readonly ok: true; readonly request: Request } | { readonly ok: false; readonly problem: string };

/** A line as it goes over the socket. */
export function encode(line: Request | Answer): string {
  return `${JSON.stringify({ rollcall: CONTROL_VERSION, ...line })}\n`;
}

/** A request, or what is wrong with it in words that may be sent back. Never throws. */
export function parseRequest(line: string): Parsed {
  const raw = parseObject(line);
  if (raw === null) return wrong(`expected a line of JSON such as {"rollcall":${CONTROL_VERSION},"command":"status"}`);
  if (raw.rollcall !== CONTROL_VERSION)
    return wrong(`expected version ${CONTROL_VERSION} of the protocol ("rollcall": ${CONTROL_VERSION}); got ${show(raw.rollcall)}`);
  const { command } = raw;
  switch (command) {
    case "status":
    case "drain":
    case "undrain":
      return right({ command });
    case "reload":
      return isFlag(raw.agent) ? right({ command, agent: raw.agent ?? false }) : wrong(`reload: expected "agent" to be true or false`);
    case "stop":
      return isFlag(raw.fast) ? right({ command, fast: raw.fast ?? false }) : wrong(`stop: expected "fast" to be true or false`);
    case "scale":
      return parseScale(raw);
    case "restart":
      return parseRestart(raw);
    default:
      return wrong(`unknown command ${show(command)}; expected one of ${CONTROL_COMMANDS.join(", ")}`);
  }
}

/** The order that a request comes to; null for one that only asks. `workersTarget` is what a relative scale starts from. */
export function orderOf(request: Request, workersTarget: number): Order | null {
  switch (request.command) {
    case "status":
      return null;
    case "reload":
      return { kind: "reload", agent: request.agent };
    case "scale":
      return { kind: "scale", workers: request.change ? workersTarget + request.workers : request.workers };
    case "restart":
      return { kind: "restart", role: request.role, slot: request.slot };
    case "drain":
    case "undrain":
      return { kind: "maintain", on: request.command === "drain" };
    case "stop":
      return { kind: "stop", fast: request.fast };
    default:
      return request satisfies never;
  }
}

/** What the master says, or null for a line that is none of this version's. */
export function parseAnswer(line: string): Answer | null {
  const raw = parseObject(line);
  return raw?.rollcall === CONTROL_VERSION && typeof raw.event === "string" ? (raw as unknown as Answer) : null;
}

function parseScale({ workers, change }: Record<string, unknown>): Parsed {
  const isRelative = change === true;
  const least = isRelative ? -MOST_WORKERS : 1;
  if (isFlag(change) && Number.isInteger(workers) && Number(workers) >= least && Number(workers) <= MOST_WORKERS)
    return right({ command: "scale", workers: Number(workers), change: isRelative });
  return wrong(`scale: expected "workers" to be a whole number from 1 to ${MOST_WORKERS}, or with "change": true how many more or fewer`);
}

function parseRestart({ role, slot }: Record<string, unknown>): Parsed {
  if (role === "agent") return right({ command: "restart", role, slot: 0 });
  if (role === "worker" && Number.isInteger(slot) && Number(slot) >= 0) return right({ command: "restart", role, slot: Number(slot) });
  return wrong(`restart: expected "role": "agent", or "role": "worker" and "slot", a number from 0`);
}

function isFlag(raw: unknown): raw is boolean | undefined {
  return raw === undefined || typeof raw === "boolean";
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function show(raw: unknown): string {
  return (JSON.stringify(raw) ?? "nothing").slice(0, 40);
}

function right(request: Request): Parsed {
  return { ok: true, request };
}

function wrong(problem: string): Parsed {
  return { ok: false, problem };
}
