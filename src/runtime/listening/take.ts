// Takes a connection that the master hands over, for a server of the app's. Runs in a worker.
import type { Server, Socket } from "node:net";
import type { HandOverOrder } from "../../messenger/wire.ts";
import { sharedNow } from "../../sockets/clock.ts";
import type { HandleGroup } from "../../sockets/handle-group.ts";
import type { ConnectionHandle } from "../../sockets/internals.ts";
import type { Channel } from "../border/channel.ts";

/** Whoever is to have it. */
interface Taker {
  readonly server: Server;
  readonly group: HandleGroup;
}

/**
 * Answered before it begins: whoever dies in between costs its client an error, not an endless wait.
 * @param taker undefined: nobody listens there
 */
export function takeConnection(channel: Channel, order: HandOverOrder, connection: ConnectionHandle, taker: Taker | undefined): void {
  const { id, head, expiresAt } = order;
  const answer = sharedNow() > expiresAt ? "late" : taker === undefined ? "refused" : "taken";
  channel.sendNow({ type: "answered", id, answer });
  if (answer === "taken" && taker !== undefined) give(taker, connection, head);
  else connection.close();
}

/** What the master has read already comes first, whatever reads the socket. */
function give({ server, group }: Taker, connection: ConnectionHandle, head: string): void {
  if (head === "") return group.give(connection);
  const putBack = (socket: Socket): void => socket.unshift(Buffer.from(head, "base64"));
  server.prependListener("connection", putBack);
  try {
    group.give(connection);
  } finally {
    server.off("connection", putBack);
  }
}
