// Whom a message or a question is for, and for how long: what callers give, checked. Runs in a child.
import { inspect } from "node:util";
import type { Envelope } from "../../messenger/frame.ts";

/** The agent, any one ready worker, or the process with this pid. */
export type AskTarget = "agent" | "app" | number;

/** What a timer can do. */
const MAX_TIMEOUT_MS: number = 2 ** 31 - 1;

export function toAddress(target: unknown): Pick<Envelope, "to" | "receiver"> {
  if (target === "agent") return { to: "agent", receiver: 0 };
  if (target === "app") return { to: "any-app", receiver: 0 };
  if (typeof target === "number") return { to: "usual", receiver: toPid(target) };
  throw new TypeError(`ask(to, action): expected "agent", "app" (any one ready worker) or the pid of a process, got ${inspect(target)}`);
}

export function toTimeout(value: unknown): number {
  const expected = `ask: expected a timeout of 0 to ${MAX_TIMEOUT_MS} ms, got ${inspect(value)}`;
  if (typeof value !== "number") throw new TypeError(expected);
  if (value >= 0 && value <= MAX_TIMEOUT_MS) return value;
  throw new RangeError(expected);
}

export function toPid(value: number | string): number {
  const pid = Number(value);
  if (Number.isInteger(pid) && pid > 0 && pid < 2 ** 32) return pid;
  throw new TypeError(`messenger: expected a pid, got ${JSON.stringify(value)}`);
}
