// A stream of bytes between two threads of one process, in the place of a pipe: over a MessagePort, with the bound that a pipe has. Used on both sides.
import { Duplex } from "node:stream";
import type { MessagePort } from "node:worker_threads";

/** What a child in a thread is given of the master's: its channel and its post, in the place of descriptors. */
export interface ThreadPorts {
  readonly channel: MessagePort;
  readonly post: MessagePort;
}

/** On the channel: a process that the thread has started is there, or has ended. To the kernel these are the master's own. */
export interface KinNews {
  readonly kin: number;
  readonly isThere: boolean;
}

export function isKinNews(raw: unknown): raw is KinNews {
  const { kin, isThere } = (raw ?? {}) as Partial<KinNews>;
  return Number.isSafeInteger(kin) && typeof isThere === "boolean";
}

/** What may be on its way, unread by the other side; as much as two full pipes of the kernel's hold. */
const WINDOW_BYTES: number = 128 * 1024;

export class PortStream extends Duplex {
  readonly #port: MessagePort;
  /** Sent, and not said to be read. */
  #unread = 0;
  /** Read, and not said to be. */
  #owed = 0;
  #resume: (() => void) | null = null;

  constructor(port: MessagePort) {
    super({ allowHalfOpen: false });
    this.#port = port;
    port.on("message", (said: unknown) => {
      if (said instanceof Uint8Array) this.#take(said);
      else if (typeof said === "number") this.#taken(said);
    });
    // What was written before comes before it.
    port.once("close", () => {
      this.#taken(this.#unread);
      this.push(null);
      this.end();
    });
    // Neither side lives for the sake of its letters.
    port.unref();
  }

  /** As a socket's. */
  unref(): this {
    this.#port.unref();
    return this;
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    // A copy, which changes hands: the memory is the writer's to use again, and may be a part of something larger.
    const bytes = new Uint8Array(chunk);
    this.#unread += bytes.byteLength;
    this.#port.postMessage(bytes, [bytes.buffer]);
    if (this.#unread < WINDOW_BYTES) done();
    else this.#resume = done;
  }

  override _read(): void {
    this.#acknowledge();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#port.close();
    done(error);
  }

  #take(bytes: Uint8Array): void {
    this.#owed += bytes.byteLength;
    if (!this.readableEnded && this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))) this.#acknowledge();
  }

  #acknowledge(): void {
    if (this.#owed > 0) this.#port.postMessage(this.#owed);
    this.#owed = 0;
  }

  #taken(bytes: number): void {
    this.#unread = Math.max(0, this.#unread - bytes);
    const resume = this.#resume;
    if (this.#unread >= WINDOW_BYTES || resume === null) return;
    this.#resume = null;
    resume();
  }
}
