// One letter as bytes on a child's post pipe: a header that the master reads and stamps, and a body that it passes on unseen.
// Both sides of the pipe use it. Pure but for Buffer.

/** Who can write and receive letters, in egg's words: workers are "app". The order is the code on the wire. */
export const ENDPOINTS = ["parent", "master", "agent", "app"] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

/**
 * Where a letter is to go: "usual" is the counterpart (agent → app, app → agent, parent → master), "any-app" one ready worker, "everybody" the agent and
 * all workers, "siblings" all other workers. The order is the code on the wire.
 */
export const DESTINATIONS = ["usual", "parent", "master", "agent", "app", "any-app", "everybody", "siblings"] as const;
export type Destination = (typeof DESTINATIONS)[number];

/** What a letter is: a letter, a question, its answer or the refusal of one, or a message in a foreign form that only the receiving app understands. */
export const KINDS = ["letter", "question", "answer", "refusal", "foreign"] as const;
export type Kind = (typeof KINDS)[number];

/** How the body is written. */
export const ENCODINGS = ["none", "json", "v8"] as const;
export type Encoding = (typeof ENCODINGS)[number];

const HEADER_BYTES = 24;
const MAX_ACTION_BYTES = 1_024;
/** The longest letter, header and all. */
export const MAX_FRAME_BYTES: number = 16 * 1024 * 1024;

const AT = { length: 0, to: 4, from: 5, kind: 6, encoding: 7, receiver: 8, sender: 12, question: 16, action: 20 } as const;

export interface Envelope {
  readonly to: Destination;
  readonly kind: Kind;
  /** A pid; 0 is none. It counts more than `to`. */
  readonly receiver: number;
  /** Pairs an answer with its question; 0 elsewhere. */
  readonly question: number;
  readonly action: string;
}

/**
 * A whole frame.
 * @param room where it is written to
 * @throws RangeError when it would be longer than a frame may be
 */
export function writeFrame(
  { to, kind, receiver, question, action }: Envelope,
  encoding: Encoding,
  body: Uint8Array,
  room: (bytes: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  const actionBytes = Buffer.byteLength(action);
  const total = HEADER_BYTES + actionBytes + body.byteLength;
  if (actionBytes > MAX_ACTION_BYTES)
    throw new RangeError(
      `Rollcall: expected an action of at most ${MAX_ACTION_BYTES} bytes, got ${actionBytes}; put what is long into the data`,
    );
  if (total > MAX_FRAME_BYTES)
    throw new RangeError(
      `Rollcall: expected a message of at most ${MAX_FRAME_BYTES} bytes, got ${total}; send it in parts, or the place where it can be read`,
    );
  const frame = room(total);
  frame.writeUInt32LE(total, AT.length);
  frame[AT.to] = DESTINATIONS.indexOf(to);
  frame[AT.from] = 0;
  frame[AT.kind] = KINDS.indexOf(kind);
  frame[AT.encoding] = ENCODINGS.indexOf(encoding);
  frame.writeUInt32LE(receiver, AT.receiver);
  frame.writeUInt32LE(0, AT.sender);
  frame.writeUInt32LE(question, AT.question);
  frame.writeUInt32LE(actionBytes, AT.action);
  frame.write(action, HEADER_BYTES, "utf8");
  frame.set(body, HEADER_BYTES + actionBytes);
  return frame;
}

/** The master's stamp: from whom it really is. */
export function stamp(frame: Buffer, from: Endpoint, senderPid: number): void {
  frame[AT.from] = ENDPOINTS.indexOf(from);
  frame.writeUInt32LE(senderPid, AT.sender);
}

/** Whether all codes of a frame mean something; the functions below count on it. */
export function isWellFormed(frame: Buffer): boolean {
  return (
    frame.length >= HEADER_BYTES &&
    (frame[AT.to] as number) < DESTINATIONS.length &&
    (frame[AT.from] as number) < ENDPOINTS.length &&
    (frame[AT.kind] as number) < KINDS.length &&
    (frame[AT.encoding] as number) < ENCODINGS.length &&
    actionBytesOf(frame) <= Math.min(MAX_ACTION_BYTES, frame.length - HEADER_BYTES)
  );
}

export function envelopeOf(frame: Buffer): Envelope {
  return {
    to: DESTINATIONS[frame[AT.to] as number] as Destination,
    kind: KINDS[frame[AT.kind] as number] as Kind,
    receiver: frame.readUInt32LE(AT.receiver),
    question: frame.readUInt32LE(AT.question),
    action: frame.toString("utf8", HEADER_BYTES, HEADER_BYTES + actionBytesOf(frame)),
  };
}

export function fromOf(frame: Buffer): Endpoint {
  return ENDPOINTS[frame[AT.from] as number] as Endpoint;
}

export function senderOf(frame: Buffer): number {
  return frame.readUInt32LE(AT.sender);
}

export function encodingOf(frame: Buffer): Encoding {
  return ENCODINGS[frame[AT.encoding] as number] as Encoding;
}

export function bodyOf(frame: Buffer): Buffer {
  return frame.subarray(HEADER_BYTES + actionBytesOf(frame));
}

function actionBytesOf(frame: Buffer): number {
  return frame.readUInt32LE(AT.action);
}

/** A frame up to this size is put together in memory that is used again: what is allocated outside of the heap is collected at a price. */
const SPARE_BYTES: number = 64 * 1024;

/** Room for one frame at a time: whoever keeps it longer than until the next one copies it. */
export function spareRoom(): (bytes: number) => Buffer {
  let spare: Buffer | null = null;
  return (bytes) => {
    if (bytes > SPARE_BYTES) return Buffer.allocUnsafe(bytes);
    spare ??= Buffer.allocUnsafeSlow(SPARE_BYTES);
    return spare.subarray(0, bytes);
  };
}

/** Takes a stream of bytes apart into frames. Holds at most one unfinished frame. */
export class FrameReader {
  /** The frame's memory is used again after the call: whoever keeps it copies it. */
  readonly #onFrame: (frame: Buffer) => void;
  readonly #room: (bytes: number) => Buffer = spareRoom();
  /** A frame, or the header of one, that is being filled. */
  #unfinished: Buffer | null = null;
  #filled = 0;

  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame;
  }

  /** @returns false when the bytes are no frames: nothing that comes later can be understood */
  push(chunk: Buffer): boolean {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#unfinished !== null) {
        const taken = rest.copy(this.#unfinished, this.#filled);
        this.#filled += taken;
        rest = rest.subarray(taken);
        if (this.#filled === this.#unfinished.length && !this.#finish(this.#unfinished)) return false;
      } else if (rest.length < HEADER_BYTES) {
        this.#begin(HEADER_BYTES, rest);
        return true;
      } else {
        const total = rest.readUInt32LE(AT.length);
        if (total < HEADER_BYTES || total > MAX_FRAME_BYTES) return false;
        if (total > rest.length) {
          this.#begin(total, rest);
          return true;
        }
        if (!this.#hand(rest.subarray(0, total))) return false;
        rest = rest.subarray(total);
      }
    }
    return true;
  }

  #begin(total: number, part: Buffer): void {
    const unfinished = this.#room(total);
    // A header that was put together here stays where it is.
    this.#filled = part.buffer === unfinished.buffer && part.byteOffset === unfinished.byteOffset ? part.length : part.copy(unfinished);
    this.#unfinished = unfinished;
  }

  /** What was unfinished is full: a whole frame, or the header of a longer one. */
  #finish(full: Buffer): boolean {
    this.#unfinished = null;
    const total = full.readUInt32LE(AT.length);
    if (total === full.length) return this.#hand(full);
    if (total < HEADER_BYTES || total > MAX_FRAME_BYTES) return false;
    this.#begin(total, full);
    return true;
  }

  #hand(frame: Buffer): boolean {
    if (!isWellFormed(frame)) return false;
    this.#onFrame(frame);
    return true;
  }
}
