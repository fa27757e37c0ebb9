// The master's end of a child's pipe for letters, read into memory that all children share: a buffer for each read would be collected at a price, up to
// 100 ms of a busy master's. Runs in the master.
import type { ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Where the child has it. */
export const POST_FD = 4;

/** Opens the pipe. The bytes are the listener's until it returns. */
export type OpenPipe = (onBytes: (bytes: Buffer) => void) => Duplex;

const READ_BYTES: number = 64 * 1024;
let shared: Buffer | null = null;

/** Null for a process that could not be made (EMFILE, EAGAIN): it has no pipes, and not even a list of them. */
export function postPipe(child: ChildProcess): OpenPipe | null {
  const given = (child.stdio as ChildProcess["stdio"] | undefined)?.[POST_FD as 4] ?? null;
  if (!(given instanceof Socket)) return null;
  given.on("error", () => {});
  return (onBytes) => {
    // Only a new socket can be told where to read to.
    const carrier = given as unknown as { _handle: object | null };
    const handle = carrier._handle;
    if (handle === null) return given.on("data", onBytes);
    carrier._handle = null;
    given.destroy();
    shared ??= Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (size: number, buffer: Uint8Array): boolean => {
      onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, size));
      return true;
    };
    return new Socket({ handle, onread: { buffer: shared, callback } } as never);
  };
}
