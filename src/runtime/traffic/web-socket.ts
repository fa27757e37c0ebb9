// Tells a WebSocket that the server is going away: close frame 1001, on which clients connect anew. Runs in a child, at the end of a drain.
import type { Connection } from "./connection.ts";

/** Final frame, close, two bytes unmasked: 1001, going away. */
const GOING_AWAY: Buffer = Buffer.from([0x88, 0x02, 0x03, 0xe9]);
/** How long the client may take for its own close frame and the end of the connection. */
const CLOSE_MS = 1_000;

const told: WeakSet<Connection> = new WeakSet();

/**
 * Written behind what the app has written already. WebSocket libraries write each frame at once, header and payload in one turn of the event loop;
 * to be called from a turn of its own, it never comes between them. One that the app has not accepted yet is left alone.
 */
export function sayGoingAway(connection: Connection): void {
  const { raw, top, webSocketAt } = connection;
  if (webSocketAt === null || told.has(connection) || top.bytesWritten <= webSocketAt) return;
  told.add(connection);
  if (top.writable) top.write(GOING_AWAY);
  setTimeout(() => {
    top.end();
    setTimeout(() => raw.destroy(), CLOSE_MS / 10).unref();
  }, CLOSE_MS).unref();
}
