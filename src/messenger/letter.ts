// A letter as people see it, and how its data becomes a body: structured clone, so that Map, Date, Buffer and BigInt arrive as what they are.
// The body is written by the sender's runtime and read by the receiver's: the master looks into none.
import { DefaultDeserializer, serialize } from "node:v8";
import { bodyOf, type Destination, type Encoding, type Endpoint, encodingOf, envelopeOf, fromOf, senderOf, writeFrame } from "./frame.ts";
import { isPlain } from "./plain.ts";

/** egg's form of a message, as `process.on("message")` and a parent get it. */
export interface Letter {
  readonly action: string;
  readonly data?: unknown;
  readonly from: Endpoint;
  /** The pid of the process that it comes from, as a string; the parent's and the master's own have none. */
  readonly senderWorkerId?: string;
  readonly receiverPid?: string;
}

/** Actions that the master alone says. */
export const MASTER_ACTIONS = ["egg-ready", "egg-pids", "agent-start", "agent-worker-died", "app-worker-died"] as const;
export type MasterAction = (typeof MASTER_ACTIONS)[number];

/** The one action that the master takes from others: a rolling reload. */
export const RELOAD_ACTION = "reload-worker";

export function isMasterAction(action: string): action is MasterAction {
  return (MASTER_ACTIONS as readonly string[]).includes(action);
}

/** What a foreign program writes: egg's form, taken apart. */
export interface RawLetter {
  readonly action: string;
  readonly data: unknown;
  readonly to: Destination;
  readonly receiver: number;
}

/** @returns null for what is not in egg's form */
export function readRawLetter(raw: unknown): RawLetter | null {
  if (typeof raw !== "object" || raw === null) return null;
  const { action, data, to, receiverPid, receiverWorkerId } = raw as Record<string, unknown>;
  if (typeof action !== "string") return null;
  return { action, data, to: readDestination(to), receiver: readPid(receiverWorkerId ?? receiverPid) };
}

/** A pid that no process has: whatever is sent to it reaches nobody. */
const NOBODY = 0xffff_ffff;

function readPid(value: unknown): number {
  if (value === undefined || value === null) return 0;
  const pid = Number(value);
  return Number.isInteger(pid) && pid > 0 && pid < NOBODY ? pid : NOBODY;
}

function readDestination(to: unknown): Destination {
  return to === "parent" || to === "master" || to === "agent" || to === "app" ? to : "usual";
}

const EMPTY = new Uint8Array(0);

/**
 * The body for these data. "v8" keeps whatever can be cloned; where JSON does too, it is JSON all the same.
 * @throws TypeError for what cannot be sent, such as a function
 */
export function writeBody(data: unknown, encoding: "json" | "v8"): readonly [Encoding, Uint8Array] {
  if (data === undefined) return ["none", EMPTY];
  if (encoding === "v8" && !isPlain(data)) return ["v8", clone(data)];
  const text = JSON.stringify(data);
  return text === undefined ? ["none", EMPTY] : ["json", Buffer.from(text)];
}

function clone(data: unknown): Uint8Array {
  try {
    return serialize(data);
  } catch (error) {
    const message = `messenger: expected data that can be cloned, so without functions and the like: ${(error as Error).message}`;
    throw new TypeError(message, { cause: error });
  }
}

const UNREADABLE = "ERR_MESSAGE_UNREADABLE";

/** Whether an error says that a body cannot be read: V8 writes some things that it cannot read again, such as a WebAssembly.Module. */
export function isUnreadable(error: unknown): error is Error {
  return (error as NodeJS.ErrnoException | null)?.code === UNREADABLE;
}

/** @throws an error that `isUnreadable`, for bytes that JSON or V8 cannot read, or nested too deep for this thread's stack */
export function readBody(frame: Buffer): unknown {
  try {
    return decode(frame);
  } catch (error) {
    const message = `the data of a message from ${fromOf(frame)} cannot be read: ${(error as Error).message}`;
    throw Object.assign(new Error(message, { cause: error }), { code: UNREADABLE });
  }
}

function decode(frame: Buffer): unknown {
  switch (encodingOf(frame)) {
    case "none":
      return undefined;
    case "json":
      return JSON.parse(bodyOf(frame).toString());
    case "v8":
      return new Deserializer(bodyOf(frame)).read();
  }
}

const readView = (DefaultDeserializer.prototype as unknown as { _readHostObject(): ArrayBufferView })._readHostObject;

/** Leaves the frame's memory, which is used again, to the frame: V8's own gives out Buffers and typed arrays that share it. */
class Deserializer extends DefaultDeserializer {
  readonly #memory: ArrayBufferLike;

  constructor(body: Buffer) {
    super(body);
    this.#memory = body.buffer;
  }

  read(): unknown {
    this.readHeader();
    return this.readValue();
  }

  _readHostObject(): ArrayBufferView {
    const view = readView.call(this);
    if (view.buffer !== this.#memory) return view;
    if (Buffer.isBuffer(view)) return Buffer.from(view);
    const { buffer, byteOffset, byteLength } = view;
    const View = view.constructor as new (buffer: ArrayBufferLike) => ArrayBufferView;
    return new View(buffer.slice(byteOffset, byteOffset + byteLength));
  }
}

/** The frame of a plain letter. */
export function writeLetter({ action, data, to, receiver }: RawLetter, encoding: "json" | "v8", room?: (bytes: number) => Buffer): Buffer {
  return writeFrame({ to, kind: "letter", receiver, question: 0, action }, ...writeBody(data, encoding), room);
}

/** egg's form of a frame. */
export function readLetter(frame: Buffer): Letter {
  const { action, receiver } = envelopeOf(frame);
  const data = readBody(frame);
  const sender = senderOf(frame);
  return {
    action,
    ...(data === undefined ? {} : { data }),
    from: fromOf(frame),
    ...(sender === 0 ? {} : { senderWorkerId: String(sender) }),
    ...(receiver === 0 ? {} : { receiverPid: String(receiver) }),
  };
}
