// Keeps the connections of a small HTTP server few, so that a crowd of idle, slow or deaf clients takes neither the descriptors that forks need nor the
// places of those who ask: with one more than it has places for, the one that has been quiet for longest goes. Runs in the master.
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { readTextOrNull } from "../system/procfs.ts";

/** More than a listen queue holds: they are accepted all at once, and whoever is among them must still be here when its request is read. */
const MOST = 600;
/** Of the descriptors that the master may open: forks, sockets and the other ports need theirs. */
const SHARE = 1 / 6;
const FEWEST = 8;

/**
 * A client that has not sent its request by then loses its connection. Not sooner: one that has sent it to a master that stands still (SIGSTOP, a paused
 * container) is looked at for its lateness before it is read, and whoever is slow on purpose goes when its place is needed.
 */
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 5_000;
/** A client may send any number of requests in one go, and Node reads them all before anything else. */
const MOST_REQUESTS = 64;

export function limitGuests(server: Server, wanted: number = MOST): void {
  const most = Math.min(wanted, placesWithin(openFilesLimit()));
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = REQUEST_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxRequestsPerSocket = MOST_REQUESTS;
  server.on("dropRequest", (_, socket) => socket.destroy());
  // In the order in which they were last heard of.
  const guests = new Set<Socket>();
  const moveUp = (socket: Socket): void => {
    guests.delete(socket);
    guests.add(socket);
  };
  server.on("connection", (socket: Socket) => {
    moveUp(socket);
    socket.once("close", () => guests.delete(socket));
    const [quietest] = guests;
    if (guests.size > most) quietest?.destroy();
  });
  server.on("request", ({ socket }: IncomingMessage) => {
    if (!socket.destroyed) moveUp(socket);
  });
}

/** @param openFiles null where that is unknown */
export function placesWithin(openFiles: number | null): number {
  return openFiles === null ? MOST : Math.min(MOST, Math.max(FEWEST, Math.floor(openFiles * SHARE)));
}

/** The soft limit, which Node raises to the hard one as it starts. Null where there is none, or nobody says. */
function openFilesLimit(): number | null {
  const soft = /^Max open files\s+(\d+)/m.exec(readTextOrNull("/proc/self/limits") ?? "")?.[1];
  return soft === undefined ? null : Number(soft);
}
