// Node's own words on a channel, and the handles that come with some of them. Taken here in the place of Node, which makes a server of a server's handle
// and listens, and says what came with a handle one tick later, where nobody catches what that throws. Used in the master, for both of its sides.
import type { ChildProcess } from "node:child_process";

/** The answers to a message that a handle came with, or should have come with. */
export const HANDLE_TAKEN = "NODE_HANDLE_ACK";
export const HANDLE_MISSED = "NODE_HANDLE_NACK";

interface Closable {
  close(): void;
}

interface WithHandle {
  readonly type?: unknown;
  readonly msg?: unknown;
}

interface End {
  _send(message: object, handle: null, swallowsErrors: true): void;
  emit(event: string, ...rest: readonly unknown[]): boolean;
}

/** Node's own messages, such as those of node:cluster. */
export function isNodes(message: unknown): message is { readonly cmd: string } {
  const cmd = (message as { cmd?: unknown } | null)?.cmd;
  return typeof cmd === "string" && cmd.startsWith("NODE_");
}

/** Whether a handle comes with it, or should have. */
export function carriesHandle({ cmd }: { readonly cmd: string }): boolean {
  return cmd === "NODE_HANDLE";
}

/**
 * Takes a handle off the channel, and lets the other side know: its next one waits for that.
 * @returns what came with it; null where there is nothing to be heard, or Node says it
 * @throws Error for what no Node writes; the handle is closed then
 */
export function takeHandle(
  channel: ChildProcess | NodeJS.Process,
  wrapped: object,
  handle: Closable | null,
): { readonly message: unknown } | null {
  const end = channel as unknown as End;
  const { type, msg } = wrapped as WithHandle;
  const isForged = isNodes(msg);
  // A socket's server counts it, and asks for it when it closes: Node answers to that.
  if (type === "net.Socket" && handle !== null && !isForged) {
    leaveToNode(end, wrapped, handle);
    return null;
  }
  end._send({ cmd: handle === null ? HANDLE_MISSED : HANDLE_TAKEN }, null, true);
  // The other side sends it once more.
  if (handle === null) return null;
  if (!isForged) return { message: msg };
  handle.close();
  throw new Error(`no word of Node's comes with a handle; got ${msg.cmd}`);
}

function leaveToNode(end: End, wrapped: object, handle: Closable): void {
  try {
    end.emit("internalMessage", wrapped, handle);
  } catch (error) {
    handle.close();
    throw error;
  }
}
