// The last words on an HTTP/2 session. A GOAWAY that names the last stream refuses those that are on their way, so it comes in two steps, as RFC 9113
// (6.8) asks for: first one that names no stream, then, a round trip later, when all that was sent before is here, the real one. Runs in a child.
import type { ServerHttp2Session } from "node:http2";
import type { Connection } from "./connection.ts";

/**
 * GOAWAY with the highest stream there can be and no error. `session.goaway()` cannot send it: from then on nghttp2 drops new streams without a word.
 * Written to the socket itself, which is always between two frames: nghttp2 hands over whole ones.
 */
const NOTICE: Buffer = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

const told: WeakSet<ServerHttp2Session> = new WeakSet();

/**
 * Streams that are open, or on their way, are served to their ends; then the session closes. Under TLS nobody but the session may write, so there
 * the notice is left out, and the session is closed as soon as it has nothing in hand: what is on its way just then is refused, to be sent elsewhere.
 */
export function goAway(connection: Connection): void {
  const { session, top, raw, inFlight } = connection;
  if (session === null || session.closed || session.destroyed) return;
  if (top !== raw) return inFlight === 0 ? session.close() : undefined;
  if (told.has(session)) return;
  told.add(session);
  top.write(NOTICE);
  // Where no ping can be sent, the sweep of idle connections closes the session.
  session.ping(() => {
    if (!session.destroyed) session.close();
  });
}
