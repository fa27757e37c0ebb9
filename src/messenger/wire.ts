// The messages between the master and the runtime in a child, and the check that lets only well-formed ones in.
// Every message carries the brand; whatever else arrives on the channel is the app's own business and is ignored.
import { LONGEST_NAME, LONGEST_REASON } from "../policy/ailments.ts";
import type { Fault, Role, Sample } from "../policy/life.ts";
import { isAmount, isCount, isHost } from "./fields.ts";
import { openSpareFromChild, openSpareFromMaster, type SpareOrder, type SpareWord } from "./spare.ts";

/** Marks Rollcall's own messages; its number changes when their shape does. */
export const BRAND = "rollcall/1";

export interface InheritedSocket {
  readonly queue: number;
  readonly port: number;
  readonly host: string | null;
  readonly fd: number;
  /** Others accept from it already. */
  readonly isBusy: boolean;
  /** The master has bound it, and not a worker. */
  readonly isDeclared: boolean;
}

/** Paths of PEM files, and of one with the passphrase. */
export interface HttpsFiles {
  readonly key: string;
  readonly cert: string;
  readonly ca: string | null;
  readonly passphrase: string | null;
}

/** What a child is told of itself, in the environment variable ROLLCALL_CHILD. */
export interface Assignment {
  readonly role: Role;
  /** Runs in a thread of the master's: what it would have in descriptors it has in ports. */
  readonly thread: boolean;
  readonly slot: number;
  readonly generation: number;
  readonly readyWhen: string;
  /** Declared ports: a worker is ready when it listens on all of them. Empty: on any. */
  readonly ports: readonly number[];
  /** How a handler that the app exports is served. */
  readonly serve: { readonly when: "auto" | "export" | "never"; readonly host: string | null; readonly https: HttpsFiles | null };
  /** Of this child's inspector, on 127.0.0.1. */
  readonly debugPort: number | null;
  /** The descriptor of the pipe for letters. */
  readonly post: number;
  readonly heartbeatMs: number;
  /** Budget of a drain that nobody ordered: a lost master, an uncaught exception. */
  readonly stopTimeoutMs: number;
  readonly drainIdleMs: number;
  /** Whether what it starts in a session of its own outlives it. */
  readonly keepsDaemons: boolean;
  /** Listening sockets of the master's that this worker inherits, by port and queue, as descriptors. */
  readonly held: readonly InheritedSocket[];
  /** Names the service in the locks of its ports; null: nothing is held, and listening is as Node's cluster has it. */
  readonly service: string | null;
  /** The master accepts, and hands connections over; declared ports are bound on this address. Null: it does not. */
  readonly handOver: { readonly host: string | null } | null;
  /** Agent only: whether an uncaught exception ends it. */
  readonly survivesUncaught: boolean;
}

const SCHEMES = ["http", "https", "tcp", "tls"] as const;
/** What a server speaks; what comes over bare TCP or TLS only the app knows. */
export type Scheme = (typeof SCHEMES)[number];

export type ChildToMaster =
  | { readonly type: "ready" }
  | {
      readonly type: "listening";
      readonly address: string;
      readonly port: number | null;
      readonly expected: boolean;
      readonly scheme: Scheme;
    }
  | { readonly type: "beat"; readonly sample: Sample }
  | { readonly type: "fault"; readonly fault: Fault; readonly survived: boolean }
  | { readonly type: "closed" }
  /** It is not ready, and nothing is under way that could make it so. */
  | { readonly type: "idle" }
  /** It got a TERM, which means nothing to it. */
  | { readonly type: "unheeded" }
  /** What its health path answered instead of 2xx: a status, or why there was none. */
  | { readonly type: "probed"; readonly answer: string }
  /** Of something that the app depends on; `reason` is null where it is well. */
  | { readonly type: "health"; readonly name: string; readonly reason: string | null }
  /** A listening socket for the master to hold; its handle comes along. */
  | { readonly type: "lodged"; readonly queue: number; readonly port: number; readonly host: string | null }
  /** Part of a port's lock for the master to keep; its handle comes along. */
  | { readonly type: "locked"; readonly port: number }
  /**
   * What the app does on a port that can be held: it listens with what the worker had already, it does no longer, or it does once more and wants its
   * queues again.
   */
  | { readonly type: "opened" | "shut" | "reopened"; readonly port: number; readonly host: string | null }
  /** What became of a connection that was handed over. */
  | { readonly type: "answered"; readonly id: number; readonly answer: HandOverAnswer }
  | SpareWord
  | CutOff;

/** The worker has it, it does not accept there (any more), or it heard of it too late. */
export type HandOverAnswer = "taken" | "refused" | "late";

/** What the end of a drain cuts off: the deadline's, or the app's, which ended the process while something was due. */
export interface CutOff {
  readonly type: "cut";
  readonly by: "deadline" | "app";
  readonly requests: number;
  readonly connections: number;
  /** Whether shutdown hooks or TERM listeners had not ended. */
  readonly hooks: boolean;
}

export interface DrainOrder {
  readonly type: "drain";
  /** Milliseconds until the child must have ended by itself. */
  readonly budgetMs: number;
  /** Milliseconds that idle keep-alive connections may still send one last request. */
  readonly idleMs: number;
  /** Nobody accepts after it: the service stops. */
  readonly isLast: boolean;
}

/** Accept from one more queue of a port (its handle comes along), or no longer. */
export interface QueueOrder {
  readonly type: "adopt" | "release";
  readonly queue: number;
  readonly port: number;
  readonly host: string | null;
  /** Others accept from it already. */
  readonly isBusy: boolean;
}

/**
 * The answer to `reopened` is complete, with whatever queues came before it; or: the port is given up, copies of its queues that nobody listens on
 * must go.
 */
export interface PortOrder {
  readonly type: "offered" | "forget";
  readonly port: number;
  readonly host: string | null;
}

/** A connection of a client's that the master has accepted; its handle comes along. */
export interface HandOverOrder {
  readonly type: "take";
  readonly id: number;
  readonly port: number;
  readonly host: string | null;
  /** What was read of it already, in base64: a message may not be longer than Node reads at once. */
  readonly head: string;
  /** By the machine's monotonic clock: from then on it must not be taken, because somebody else is given it. */
  readonly expiresAt: number;
  /** The worker had accepted it, and gave it away: nobody else could take it. */
  readonly isOwn: boolean;
}

export type ListenOrder = QueueOrder | PortOrder | HandOverOrder | SpareOrder;

export type MasterToChild = DrainOrder | ListenOrder;

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
    case "closed":
    case "idle":
    case "unheeded":
      return { type: raw.type };
    case "health": {
      const { name, reason } = raw;
      if (typeof name !== "string" || !(reason === null || typeof reason === "string")) return null;
      return { type: "health", name: name.slice(0, LONGEST_NAME), reason: reason?.slice(0, LONGEST_REASON) ?? null };
    }
    case "probed":
      return typeof raw.answer === "string" ? { type: "probed", answer: raw.answer.slice(0, LONGEST_REASON) } : null;
    case "lodged": {
      const { queue, port, host } = raw;
      return isCount(queue) && isCount(port) && isHost(host) ? { type: "lodged", queue, port, host } : null;
    }
    case "locked":
      return isCount(raw.port) ? { type: "locked", port: raw.port } : null;
    case "opened":
    case "shut":
    case "reopened": {
      const { type, port, host } = raw;
      return isCount(port) && isHost(host) ? { type, port, host } : null;
    }
    case "answered": {
      const { id, answer } = raw;
      const isKnown = answer === "taken" || answer === "refused" || answer === "late";
      return isCount(id) && isKnown ? { type: "answered", id, answer } : null;
    }
    case "listening": {
      const { address, port, expected } = raw;
      const scheme = SCHEMES.find((each) => each === raw.scheme);
      if (typeof address !== "string" || !(port === null || isCount(port)) || scheme === undefined) return null;
      return { type: "listening", address: address.slice(0, 256), port, expected: expected === true, scheme };
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
      return { type: "cut", by: raw.by === "app" ? "app" : "deadline", requests, connections, hooks: hooks === true };
    }
    default:
      return openSpareFromChild(raw);
  }
}

/** Opens a message from the master. */
export function openFromMaster(raw: unknown): MasterToChild | null {
  if (!isSealed(raw)) return null;
  switch (raw.type) {
    case "drain": {
      const { budgetMs, idleMs, isLast } = raw;
      return isAmount(budgetMs) && isAmount(idleMs) && typeof isLast === "boolean" ? { type: "drain", budgetMs, idleMs, isLast } : null;
    }
    case "adopt":
    case "release": {
      const { type, queue, port, host } = raw;
      const isBusy = raw.isBusy === true;
      return isCount(queue) && isCount(port) && isHost(host) ? { type, queue, port, host, isBusy } : null;
    }
    case "offered":
    case "forget": {
      const { type, port, host } = raw;
      return isCount(port) && isHost(host) ? { type, port, host } : null;
    }
    case "take": {
      const { id, port, host, head, expiresAt } = raw;
      const isWhole = isCount(id) && isCount(port) && isHost(host) && typeof head === "string" && isAmount(expiresAt);
      return isWhole ? { type: "take", id, port, host, head, expiresAt, isOwn: raw.isOwn === true } : null;
    }
    default:
      return openSpareFromMaster(raw);
  }
}

export const SAMPLE_KEYS: readonly (keyof Sample)[] = [
  "lagP50Seconds",
  "lagP99Seconds",
  "lagMaxSeconds",
  "utilization",
  "residentBytes",
  "heapUsedBytes",
  "heapLiveBytes",
  "heapLimitBytes",
  "cpuSeconds",
  "requestsInFlight",
  "requests",
  "connections",
];

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
