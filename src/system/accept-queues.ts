// How many connections wait to be accepted, by port. Runs in the master, at a scrape.
// Its one rule: the cost is bounded by the listening sockets, not by the connections, of which there may be very many.
import { walkTcpTables } from "./tcp-tables.ts";

/** The state of a listening socket, whose rx_queue is the length of its accept queue. */
const LISTEN = "0A";
/** Some 7,000 rows: a belt for a kernel that would not list what listens first. */
const MAX_BYTES = 1_048_576;

/**
 * @returns for each listening port of this network namespace the connections that wait in all of its queues; empty where `/proc` cannot be read
 */
export async function readAcceptQueues(root = "/proc/net"): Promise<ReadonlyMap<number, number>> {
  const waiting = new Map<number, number>();
  // The kernel lists listening sockets first: the first row of another state ends what is of interest.
  await walkTcpTables(root, MAX_BYTES, (row) => addRow(row, waiting));
  return waiting;
}

/**
 * @param ports which to name, also those where nothing waits
 * @param held how many the master itself has accepted, by port
 */
export async function countWaiting(ports: readonly number[], held: ReadonlyMap<number, number>): Promise<ReadonlyMap<number, number>> {
  const waiting = await readAcceptQueues();
  return new Map([...ports, ...held.keys()].map((port) => [port, (waiting.get(port) ?? 0) + (held.get(port) ?? 0)]));
}

/** @returns false at a row that is not of a listening socket */
function addRow(row: string, waiting: Map<number, number>): boolean {
  // sl local_address rem_address st tx_queue:rx_queue …
  const [, local = "", , state, queues = ""] = row.trim().split(/\s+/);
  if (state !== LISTEN) return false;
  const port = Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16);
  const length = Number.parseInt(queues.slice(queues.indexOf(":") + 1), 16);
  if (Number.isInteger(port) && Number.isInteger(length)) waiting.set(port, (waiting.get(port) ?? 0) + length);
  return true;
}
