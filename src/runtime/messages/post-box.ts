// The child's end of its post pipe: frames out in batches, frames in to the messenger. It keeps no process alive. Runs in a child.
import { envelopeOf, FrameReader, senderOf, spareRoom } from "../../messenger/frame.ts";
import { checkHanded } from "../../messenger/handed.ts";
import { readBody, readLetter } from "../../messenger/letter.ts";
import { Outbox } from "../../messenger/outbox.ts";
import type { Assignment } from "../../messenger/wire.ts";
import type { TcpHandle } from "../../sockets/internals.ts";
import type { Channel } from "../border/channel.ts";
import { noHandles, type OpenPost } from "../border/thread.ts";
import { makeSendable, type Sendable, takeHandle } from "./handles.ts";
import { Messenger } from "./messenger.ts";
import { SocketIo } from "./socket-io.ts";

/** What may wait for a master that is busy. */
const OUTBOX_BYTES: number = 64 * 1024 * 1024;

export class PostBox {
  readonly messenger: Messenger;
  /** For a frame, until it has been sent. */
  readonly room: (bytes: number) => Buffer = spareRoom();
  readonly socketIo: SocketIo = new SocketIo();
  readonly #outbox: Outbox;
  readonly #channel: Channel;
  readonly #takesHandles: boolean;
  #isFlushing = false;

  constructor({ role, thread }: Assignment, channel: Channel, open: OpenPost) {
    const pipe = open((bytes) => void reader.push(bytes));
    pipe.unref();
    pipe.on("error", ignore);
    this.#outbox = new Outbox(pipe, OUTBOX_BYTES);
    this.#channel = channel;
    this.#takesHandles = !thread;
    channel.onHanded(({ frame, what }, native) => {
      if (native !== undefined) this.messenger.receive(frame, makeSendable(what, native as TcpHandle));
    });
    this.messenger = new Messenger({
      role,
      room: this.room,
      send: (frame, sendable) => (sendable === undefined ? this.send(frame) : this.hand(frame, sendable)),
      flushed: () => this.#outbox.written(),
      hasRawListeners: () => channel.hasAppListeners(),
      emitRaw: (frame, sendable) => this.#emitRaw(frame, sendable),
    });
    const reader = new FrameReader((frame) => this.messenger.receive(frame));
    pipe.once("close", () => this.#outbox.discard());
    channel.onAppListener(() => this.messenger.heardRaw());
    // What an app says last, just before it ends the process.
    process.once("exit", () => this.#outbox.flush());
  }

  /** For the app's own listeners on `process`: egg's form, or what a foreign library sent. */
  #emitRaw(frame: Buffer, sendable: Sendable | undefined): void {
    const isForeign = envelopeOf(frame).kind === "foreign";
    const message = isForeign ? readBody(frame) : readLetter(frame);
    if (isForeign) this.socketIo.heard(message, senderOf(frame));
    (process as NodeJS.EventEmitter).emit("message", message, sendable);
  }

  /** Sends with a socket, which is the receiver's from here on, or a server. */
  hand(frame: Buffer, sendable: Sendable): boolean {
    if (!this.#takesHandles) throw noHandles();
    checkHanded(frame);
    const taken = takeHandle(sendable);
    return taken !== null && this.#channel.hand({ frame, what: taken.what }, taken.native, taken.release);
  }

  /** Sends with whatever else is sent in this turn. @returns false when too much waits already */
  send(frame: Buffer): boolean {
    if (!this.#outbox.push(frame)) return false;
    if (this.#isFlushing) return true;
    this.#isFlushing = true;
    process.nextTick(() => {
      this.#isFlushing = false;
      this.#outbox.flush();
    });
    return true;
  }
}

function ignore(): void {}
