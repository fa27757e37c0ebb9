// Tells connections apart whose clients have gone, without reading from them. Runs in the master.
import { fstatSync } from "node:fs";
import { readHalfClosed } from "../system/half-closed.ts";
import type { ConnectionHandle } from "./internals.ts";

/** Looks, off the event loop; gives the test. A client that has only ended its own half and waits for its answer cannot be told apart: rare, but legal. */
export async function lookForDeparted(): Promise<(handle: ConnectionHandle) => boolean> {
  const halfClosed = await readHalfClosed();
  // After a reset there is no peer any more, and no row.
  return (handle) => handle.getpeername({}) !== 0 || (halfClosed.size > 0 && handle.fd >= 0 && halfClosed.has(fstatSync(handle.fd).ino));
}
