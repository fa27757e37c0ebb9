// What unmodified apps say with process.send: egg's form, socket.io's cluster adapter, PM2's "ready". The rest is for a parent that is not there: the master
// would read it and throw it away, so it is not sent. Runs in a child.
import type { SendHandle } from "node:child_process";
import { Socket } from "node:net";
import { writeFrame } from "../../messenger/frame.ts";
import { type RawLetter, readRawLetter, writeBody, writeLetter } from "../../messenger/letter.ts";
import { isSealed } from "../../messenger/wire.ts";
import type { Readiness } from "../life/readiness.ts";
import { isSendable, type Sendable } from "./handles.ts";
import type { PostBox } from "./post-box.ts";
import { isSocketIo } from "./socket-io.ts";

type Send = (message: unknown, handle?: SendHandle, options?: object, callback?: (error: Error | null) => void) => boolean;

export function takeRawMessages(post: PostBox, readiness: Pick<Readiness, "say">): void {
  const send = process.send as Send;
  (process as { send: unknown }).send = function (this: NodeJS.Process, ...args: Parameters<Send>): boolean {
    const [message, handle] = args;
    const isOwn = isSealed(message) || isInternal(message);
    if (isOwn || !process.connected || (typeof handle === "object" && handle !== null && !isSendable(handle)))
      return send.apply(this, args);
    const callback = args.find((each) => typeof each === "function") as ((error: Error | null) => void) | undefined;
    const isTaken = take(message, isSendable(handle) ? handle : undefined);
    if (callback !== undefined) process.nextTick(callback, isTaken ? null : dropped());
    return isTaken;
  };

  /** A message that is too long is told, not thrown: Node's own send would throw nothing. */
  function sendRaw(letter: RawLetter, sendable: Sendable | undefined): boolean {
    try {
      const frame = writeLetter(letter, "json", post.room);
      return sendable === undefined ? post.send(frame) : post.hand(frame, sendable);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      process.emitWarning(error);
      return false;
    }
  }

  function take(message: unknown, sendable: Sendable | undefined): boolean {
    if (message === "ready") readiness.say();
    const { messenger } = post;
    // A word is a message in egg's world; elsewhere it is PM2's business.
    const raw = typeof message === "string" && messenger.hearsMaster ? { action: message, data: message } : message;
    const letter = readRawLetter(raw);
    if (letter !== null) {
      messenger.hearMaster();
      return sendRaw(letter, sendable);
    }
    // Whoever sends a connection has done with it.
    if (sendable instanceof Socket) sendable.destroy();
    if (!isSocketIo(message)) return true;
    const receiver = post.socketIo.receiverOf(message);
    const envelope = { to: "siblings", kind: "foreign", receiver, question: 0, action: "socket.io" } as const;
    return post.send(writeFrame(envelope, ...writeForeign(message), post.room));
  }
}

function dropped(): Error {
  const message = "Rollcall: the message was dropped: it is too long, too much waits to be sent already, or the socket is closed";
  return Object.assign(new Error(message), { code: "ERR_MESSAGE_DROPPED" });
}

/** Binary data survive as what they are. */
function writeForeign(message: unknown): ReturnType<typeof writeBody> {
  try {
    return writeBody(message, "v8");
  } catch {
    return writeBody(message, "json");
  }
}

/** Node's own messages, such as those of node:cluster. */
function isInternal(message: unknown): boolean {
  const cmd = (message as { cmd?: unknown } | null)?.cmd;
  return typeof cmd === "string" && cmd.startsWith("NODE_");
}
