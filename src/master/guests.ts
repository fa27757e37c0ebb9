// Keeps the connections of a small HTTP server few, so that a crowd of idle, slow or deaf clients takes neither the descriptors that forks need nor the
// places of those who ask: with one more than it has places for, the one that has been quiet for longest goes. Runs in the master.
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { descriptorLimit, MOST_GUESTS, placesWithin } from "./descriptors.ts";

/**
 * A client that has not sent its request by then loses its connection. Not sooner: one that has sent it to a master that stands still (SIGSTOP, a paused
 * container) is looked at for its lateness before it is read, and whoever is slow on purpose goes when its place is needed.
 */
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 5_000;
/** A client may send any number of requests in one go, and Node reads them all before anything else. */
const MOST_REQUESTS = 64;

export function limitGuests(server: Server, wanted: number = MOST_GUESTS): void {
  const most = Math.min(wanted, placesWithin(descriptorLimit()));
  server.requestTimeout = REQUEST_MS;
  server.headersTimeout = REQUEST_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.maxRequestsPerSocket = MOST_REQUESTS;
  // An error after listening is one of accepting: the client tries again.
  server.on("error", () => {});
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
