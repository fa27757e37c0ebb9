// Opens the inspector of a child on its own port. While a slot is being replaced the predecessor still has it: the successor waits for its turn.
// Runs in a child.
import { bindHandle } from "../../sockets/internals.ts";

const HOST = "127.0.0.1";
const RETRY_MS = 500;

export function openInspector(port: number): void {
  // Node says on stderr that a port is taken, and would say so at every try.
  const handle = bindHandle(HOST, port, "alone");
  if (typeof handle === "number") return void setTimeout(() => openInspector(port), RETRY_MS).unref();
  handle.close(() => process.getBuiltinModule("node:inspector").open(port, HOST));
}
