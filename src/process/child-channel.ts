// Reads a child's IPC channel in the place of Node, whose own reader throws in the master for a line that is no JSON, keeps whatever does not end, and
// reads one child that floods before it looks at anybody else. Its one rule: nothing that a child writes throws here; who writes what is no message, or
// forges Node's own, loses the channel, drains and is replaced. Runs in the master.
import type { ChildProcess } from "node:child_process";
import { lineReader } from "../messenger/frames.ts";
import { carriesHandle, isNodes, takeHandle } from "../messenger/node-words.ts";
import type { Pausable, Turnstile } from "../messenger/turnstile.ts";
import { closeChannel } from "../sockets/internals.ts";
import { leaveHandOvers } from "../sockets/repair.ts";
import type { ChannelPipe } from "../system/parent-hold.ts";

/** A message above this is passed over: what the runtime says is small, and letters go by the post. */
export const MAX_MESSAGE_BYTES: number = 4 * 1024 * 1024;
/** How much work a message is, in bytes of a turn: most of it is in what comes of it. */
const MESSAGE_WEIGHT: number = 4 * 1024;
const JUNK_WEIGHT = 200;
/** What may wait for a child that does not read, and how many handles: it gets nothing more then. */
const MOST_UNREAD_BYTES: number = 1024 * 1024;
const MOST_UNTAKEN_HANDLES = 1_000;

interface Listener {
  /** @returns whether it was one of Rollcall's */
  onMessage(message: unknown, handle: unknown): boolean;
  /** What Node may read of its own words. */
  filter(message: object): object;
  /** Told once, when the channel has been given up. */
  onBroken(error: Error): void;
}

/** @returns what tells whether the child still takes what it is sent */
export function readChannel(child: ChildProcess, turnstile: Turnstile, listener: Listener): { takes(): boolean } {
  const pipe = pipeOf(child);
  child.on("message", (message, handle) => {
    turnstile.add(listener.onMessage(message, handle) ? MESSAGE_WEIGHT : JUNK_WEIGHT);
  });
  if (pipe === null) return { takes: () => true };
  const takes = (): boolean => pipe.writeQueueSize < MOST_UNREAD_BYTES && countUntaken(child) < MOST_UNTAKEN_HANDLES;
  readFrom({ child, pipe, takes, turnstile }, listener);
  return { takes };
}

interface Parts {
  readonly child: ChildProcess;
  readonly pipe: ChannelPipe;
  readonly turnstile: Turnstile;
  takes(): boolean;
}

function readFrom({ child, pipe, takes, turnstile }: Parts, { filter, onBroken }: Listener): void {
  const { onread } = pipe;
  const source: Pausable = { pause: () => pipe.readStop(), resume: () => child.connected && pipe.readStart() };
  const reader = lineReader(MAX_MESSAGE_BYTES, { onMessage, onJunk: (problem) => giveUp(problem) });
  let before = pipe.bytesRead;
  let handle: ChannelPipe["pendingHandle"] = null;
  pipe.onread = (chunk) => {
    // The end of the channel.
    if (chunk === undefined) return onread?.call(pipe);
    if (pipe.pendingHandle) {
      // One that no message came for.
      handle?.close();
      handle = pipe.pendingHandle;
    }
    pipe.pendingHandle = null;
    // The memory may be larger than what was read into it.
    const bytes = pipe.bytesRead - before;
    before = pipe.bytesRead;
    reader.push(Buffer.from(chunk, 0, Math.min(bytes, chunk.byteLength)));
    turnstile.count(source, bytes);
  };

  function onMessage(message: unknown): void {
    if (!child.connected) return;
    turnstile.add(JUNK_WEIGHT);
    if (!isNodes(message)) return void child.emit("message", message);
    const hasHandle = carriesHandle(message);
    const received = hasHandle ? (handle ?? null) : null;
    if (hasHandle) handle = null;
    // Node answers to most of these: it would heap up answers for a child that does not read. A handle that is not acknowledged keeps all others in the
    // child for ever, so these pass as long as no honest child could send so many.
    if (!takes() && (received === null || pipe.writeQueueSize >= 2 * MOST_UNREAD_BYTES)) return received?.close();
    let taken: ReturnType<typeof takeHandle> = null;
    try {
      if (hasHandle) taken = takeHandle(child, message, received);
      else child.emit("internalMessage", filter(message));
    } catch (error) {
      giveUp("what Node cannot take for its own", error);
    }
    if (taken !== null) child.emit("message", taken.message, received);
  }

  /** What follows what was not understood is not understood either. */
  function giveUp(problem: string, cause?: unknown): void {
    if (!child.connected) return;
    cutOff(child);
    onBroken(new Error(`expected messages of Node's on its channel, got ${problem}: closing the channel`, { cause }));
  }
}

/** It is heard no more: it finds its channel closed, drains and ends. */
export function cutOff(child: ChildProcess): void {
  leaveHandOvers(child);
  closeChannel(child);
}

/** Closes a handle that nobody has a use for. */
export function closeHandle(handle: unknown): void {
  const { destroy, close } = (handle ?? {}) as { destroy?: () => void; close?: () => void };
  if (typeof destroy === "function") destroy.call(handle);
  else if (typeof close === "function") close.call(handle);
}

function pipeOf(child: ChildProcess): ChannelPipe | null {
  const key = Object.getOwnPropertySymbols(child).find((symbol) => symbol.description === "kChannelHandle");
  return key === undefined ? null : ((child as unknown as Record<symbol, ChannelPipe | undefined>)[key] ?? null);
}

/** Handles that wait because the child has not acknowledged the one before. */
function countUntaken(child: ChildProcess): number {
  return (child as unknown as { _handleQueue?: readonly unknown[] | null })._handleQueue?.length ?? 0;
}
