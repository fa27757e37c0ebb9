// The last words on an HTTP/2 session. A GOAWAY that names the last stream would refuse those that are on their way, so it comes in two steps, as
// RFC 9113 (6.8) asks for: first one that names no stream, then, a round trip later, when all that was sent before is here, the real one. Runs in a child.
import type { ServerHttp2Session } from "node:http2";

const NO_ERROR = 0;
const LAST_STREAM_ID = 2 ** 31 - 1;

const told: WeakSet<ServerHttp2Session> = new WeakSet();

/**
 * Streams that are open, or on their way, are served to their ends; then the session closes.
 * @returns false when it has been told before
 */
export function goAwayAfterRoundTrip(session: ServerHttp2Session): boolean {
  if (told.has(session) || session.closed || session.destroyed) return false;
  told.add(session);
  session.goaway(NO_ERROR, LAST_STREAM_ID);
  // Where no ping can be sent, the sweep of idle connections closes the session.
  session.ping(() => {
    if (!session.destroyed) session.close();
  });
  return true;
}
