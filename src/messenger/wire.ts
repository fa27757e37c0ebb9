// The messages between the master and the runtime in a child, and the check that lets only well-formed ones in.
// Every message carries the brand; whatever else arrives on the channel is the app's own business and is ignored.
import type { Fault, Role, Sample } from "../policy/state.ts";

/** Marks Rollcall's own messages; its number changes when their shape does. */
export const BRAND = "rollcall/1";

/** What a child is told of itself, in the environment variable ROLLCALL_CHILD. */
export interface Assignment {
  readonly role: Role;
  readonly slot: number;
  readonly generation: number;
  readonly readyWhen: string;
  /** Declared ports: a worker is ready when it listens on all of them. Empty: on any. */
  readonly ports: readonly number[];
  readonly heartbeatMs: number;
  /** Budget of a drain that nobody ordered: a lost master, an uncaught exception. */
  readonly stopTimeoutMs: number;
  readonly drainIdleMs: number;
  /** Agent only: whether an uncaught exception ends it. */
  readonly survivesUncaught: boolean;
}

export type ChildToMaster =
  | { readonly type: "ready" }
  | { readonly type: "listening"; readonly address: string; readonly port: number | null; readonly expected: boolean }
  | { readonly type: "beat"; readonly sample: Sample }
  | { readonly type: "fault"; readonly fault: Fault; readonly survived: boolean }
  | { readonly type: "closed" }
  | { readonly type: "cut"; readonly requests: number; readonly connections: number; readonly hooks: boolean };

export interface MasterToChild {
  readonly type: "drain";
  /** Milliseconds until the child must have ended by itself. */
  readonly budgetMs: number;
  /** Milliseconds that idle keep-alive connections may still send one last request. */
  readonly idleMs: number;
}

export function seal<Message extends ChildToMaster | MasterToChild>(message: Message): Message & { readonly rollcall: typeof BRAND } {
  return { rollcall: BRAND, ...message };
}

/** Whether a message is one of Rollcall's, well formed or not: the app must not see it. */
export function isSealed(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && (raw as Record<string, unknown>).rollcall === BRAND;
}

/** Opens a message from a child; null for anything that is not exactly right, whoever made it. */
export function openFromChild(raw: unknown): ChildToMaster | null {
  if (!isSealed(raw)) return null;
  switch (raw.type) {
    case "ready":
      return { type: "ready" };
    case "closed":
      return { type: "closed" };
    case "listening": {
      const { address, port, expected } = raw;
      if (typeof address !== "string" || !(port === null || isCount(port))) return null;
      return { type: "listening", address: address.slice(0, 256), port, expected: expected === true };
    }
    case "beat": {
      const sample = openSample(raw.sample);
      return sample === null ? null : { type: "beat", sample };
    }
    case "fault": {
      const fault = openFault(raw.fault);
      return fault === null ? null : { type: "fault", fault, survived: raw.survived === true };
    }
    case "cut": {
      const { requests, connections, hooks } = raw;
      if (!isCount(requests) || !isCount(connections)) return null;
      return { type: "cut", requests, connections, hooks: hooks === true };
    }
    default:
      return null;
  }
}

/** Opens a message from the master. */
export function openFromMaster(raw: unknown): MasterToChild | null {
  if (!isSealed(raw) || raw.type !== "drain") return null;
  const { budgetMs, idleMs } = raw;
  return isAmount(budgetMs) && isAmount(idleMs) ? { type: "drain", budgetMs, idleMs } : null;
}

const SAMPLE_KEYS = [
  "lagP50Seconds",
  "lagP99Seconds",
  "lagMaxSeconds",
  "utilization",
  "residentBytes",
  "heapUsedBytes",
  "cpuSeconds",
  "requestsInFlight",
  "requests",
  "connections",
] as const satisfies readonly (keyof Sample)[];

function openSample(raw: unknown): Sample | null {
  if (typeof raw !== "object" || raw === null) return null;
  const record = raw as Record<string, unknown>;
  const sample: Partial<Record<keyof Sample, number>> = {};
  for (const key of SAMPLE_KEYS) {
    const value = record[key];
    if (!isAmount(value)) return null;
    sample[key] = value;
  }
  return sample as Sample;
}

function openFault(raw: unknown): Fault | null {
  if (typeof raw !== "object" || raw === null) return null;
  const { name, message, stack, code, port } = raw as Record<string, unknown>;
  if (typeof name !== "string" || typeof message !== "string" || typeof stack !== "string") return null;
  return {
    name: name.slice(0, 100),
    message: message.slice(0, 2_000),
    stack: stack.slice(0, 8_000),
    code: typeof code === "string" ? code.slice(0, 100) : null,
    port: isCount(port) ? port : null,
  };
}

/** Bounded, so that no sum of what children claim ever becomes infinite. */
function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isCount(value: unknown): value is number {
  return isAmount(value) && Number.isInteger(value);
}
