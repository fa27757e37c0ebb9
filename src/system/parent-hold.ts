// Keeps the channel to the parent, if somebody forked this process, unread until it is asked for: from the entry file's first statement on the
// kernel holds what comes, so that no message is taken by nobody and no junk throws. Runs in the master; imports nothing.

/** What libuv reads and writes an IPC channel by. */
export interface ChannelPipe {
  onread: ((chunk?: ArrayBuffer) => void) | null;
  readonly bytesRead: number;
  /** Bytes that the other side has not taken. */
  readonly writeQueueSize: number;
  pendingHandle: { close(): void } | null | undefined;
  readStart(): number;
  readStop(): number;
}

/** The pipe of this process's own channel; null without one. */
export function findPipe(): ChannelPipe | null {
  const holder = process as unknown as Record<symbol, ChannelPipe | undefined>;
  const key = Object.getOwnPropertySymbols(process).find((symbol) => symbol.description === "kChannelHandle");
  return key === undefined ? null : (holder[key] ?? null);
}

findPipe()?.readStop();
