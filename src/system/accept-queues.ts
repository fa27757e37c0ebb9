// How many connections wait to be accepted, by port, from Linux's /proc/net/tcp and tcp6. Runs in the master, at a scrape, off its event loop.
// Its one rule: the cost is bounded by the listening sockets, not by the connections, of which there may be very many.
// Not by node:fs/promises: that loads all of readline, 2 ms of every start.
import { close, open, read } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const [openFile, readFile, closeFile] = [promisify(open), promisify(read), promisify(close)];

/** The state of a listening socket, whose rx_queue is the length of its accept queue. */
const LISTEN = "0A";
const CHUNK_BYTES = 16_384;
/** Some 7,000 rows: a belt for a kernel that would not list what listens first. */
const MAX_BYTES = 1_048_576;

/**
 * @returns for each listening port of this network namespace the connections that wait in all of its queues; empty where `/proc` cannot be read
 */
export async function readAcceptQueues(root = "/proc/net"): Promise<ReadonlyMap<number, number>> {
  const waiting = new Map<number, number>();
  for (const table of ["tcp", "tcp6"]) await addTable(join(root, table), waiting).catch(() => {});
  return waiting;
}

/** The kernel lists listening sockets first: the first row of another state ends what is of interest. */
async function addTable(path: string, waiting: Map<number, number>): Promise<void> {
  const fd = await openFile(path, "r");
  try {
    let rest = "";
    let isHeader = true;
    for (let taken = 0; taken < MAX_BYTES; ) {
      const chunk = await readChunk(fd);
      taken += chunk.length;
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of isHeader ? lines.slice(1) : lines) if (!addRow(line, waiting)) return;
      if (chunk === "") return;
      isHeader &&= lines.length === 0;
    }
  } finally {
    await closeFile(fd);
  }
}

async function readChunk(fd: number): Promise<string> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  const { bytesRead } = await readFile(fd, buffer, 0, CHUNK_BYTES, null);
  return buffer.toString("latin1", 0, bytesRead);
}

/** @returns false at a row that is not of a listening socket */
function addRow(line: string, waiting: Map<number, number>): boolean {
  // sl local_address rem_address st tx_queue:rx_queue …
  const [, local = "", , state, queues = ""] = line.trim().split(/\s+/);
  if (state !== LISTEN) return false;
  const port = Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16);
  const length = Number.parseInt(queues.slice(queues.indexOf(":") + 1), 16);
  if (Number.isInteger(port) && Number.isInteger(length)) waiting.set(port, (waiting.get(port) ?? 0) + length);
  return true;
}
