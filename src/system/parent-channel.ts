// The master's channel to whoever forked it. Its one rule: nothing that comes on it throws, grows the master without bound or ends it, and nothing
// that goes out waits for a parent that does not read. Runs in the master.
import { type FrameListener, lengthReader, lineReader } from "../messenger/frames.ts";
import { carriesHandle, isNodes, takeHandle } from "../messenger/node-words.ts";
import { type ChannelPipe, findPipe } from "./parent-hold.ts";

/** A message above this is passed over. */
const MAX_PARENT_MESSAGE_BYTES = 16 * 1024 * 1024;
/** What may wait for a parent that does not read; what comes then is dropped. */
const MOST_UNREAD_BYTES = 4 * 1024 * 1024;
/** A write that waits costs some 2 KiB beside its bytes. */
const MOST_UNREAD_MESSAGES = 8_192;
/** Node's own answers, of 30 bytes each. */
const MOST_UNREAD_ACK_BYTES = 64 * 1024;
/** What a message takes beside its bytes, junk too, in bytes of a turn. */
const MESSAGE_WEIGHT = 300;

let unreadMessages = 0;

export interface ParentChannel {
  readonly connected: boolean;
  /** @returns false when the message is dropped: nobody is there, nobody reads, or it cannot be sent */
  send(message: object): boolean;
  /** Reads nothing more until `resume`: the parent's next messages wait in its own process. */
  pause(): void;
  resume(): void;
}

export interface ParentListener extends FrameListener {
  /** One read has brought so much work, in bytes of a turn. */
  onRead(weight: number): void;
  /** The parent is gone, or has closed the channel: the service lives on. */
  onLost(): void;
}

/** Begins to read. Null for a process that nobody forked. */
export function openParentChannel(listener: ParentListener): ParentChannel | null {
  const pipe = findPipe();
  if (pipe === null || process.send === undefined) return null;
  process.once("disconnect", () => listener.onLost());
  // What Node itself had read before this process could say anything, and messages that came with a handle.
  process.on("message", (message, handle) => {
    close(handle);
    listener.onMessage(message);
  });
  readFrom(pipe, listener);
  // It alone keeps no master alive.
  process.channel?.unref();
  pipe.readStart();
  return {
    get connected() {
      return process.connected;
    },
    send: sendToParent,
    pause: () => void pipe.readStop(),
    resume: () => void (process.connected && pipe.readStart()),
  };
}

/** Sends to the parent, if there is one. Never throws and never waits; what is small is out when this returns. */
export function sendToParent(message: object): boolean {
  if (process.send === undefined || !process.connected) return false;
  if (unreadBytes() > MOST_UNREAD_BYTES || unreadMessages >= MOST_UNREAD_MESSAGES) return false;
  unreadMessages++;
  try {
    process.send(message, undefined, undefined, () => unreadMessages--);
    return true;
  } catch {
    // It has what the channel's serialization cannot carry.
    unreadMessages--;
    return false;
  }
}

function unreadBytes(): number {
  return findPipe()?.writeQueueSize ?? 0;
}

/** In the place of Node's own reader, which throws in the master for a line that is no JSON and keeps whatever does not end. */
function readFrom(pipe: ChannelPipe, listener: ParentListener): void {
  const { onread } = pipe;
  const guarded: FrameListener = {
    onMessage(message) {
      messages++;
      if (isNodes(message)) obey(message);
      else listener.onMessage(message);
    },
    onJunk(problem) {
      messages++;
      listener.onJunk(problem);
    },
  };
  const reader = (isJson(pipe) ? lineReader : lengthReader)(MAX_PARENT_MESSAGE_BYTES, guarded);
  let messages = 0;
  let before = pipe.bytesRead;
  let handle: ChannelPipe["pendingHandle"] = null;
  pipe.onread = (chunk) => {
    handle = pipe.pendingHandle ?? handle;
    if (chunk === undefined) return onread?.call(pipe);
    pipe.pendingHandle = null;
    // The memory may be larger than what was read into it.
    const bytes = pipe.bytesRead - before;
    before = pipe.bytesRead;
    messages = 0;
    reader.push(Buffer.from(chunk, 0, Math.min(bytes, chunk.byteLength)));
    listener.onRead(bytes + messages * MESSAGE_WEIGHT);
  };

  /** A handle is taken off the channel as Node does it, so that the parent's sending goes on; the rest of Node's own words means nothing here. */
  function obey(message: { readonly cmd: string }): void {
    if (!carriesHandle(message)) return;
    const received = handle ?? null;
    handle = null;
    // Node answers to each: it would heap up answers for a parent that does not read.
    if (unreadBytes() > MOST_UNREAD_ACK_BYTES) return received?.close();
    try {
      const taken = takeHandle(process, message, received);
      if (taken === null) return;
      received?.close();
      listener.onMessage(taken.message);
    } catch {
      listener.onJunk("a handle of no known kind");
    }
  }
}

function isJson(pipe: ChannelPipe): boolean {
  return Object.getOwnPropertySymbols(pipe).some((symbol) => symbol.description === "kJSONBuffer");
}

/** Nobody here has a use for it. */
function close(handle: unknown): void {
  const { destroy, close } = (handle ?? {}) as { destroy?: () => void; close?: () => void };
  if (typeof destroy === "function") destroy.call(handle);
  else if (typeof close === "function") close.call(handle);
}
