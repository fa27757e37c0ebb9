// After an uncaught exception: the request that threw will never be answered, so its client is told now instead of waiting for the deadline. Which
// request it was is told by the async ids that Node keeps anyway: no request pays for it. (AsyncLocalStorage would know more often, at several percent of the
// CPU time of every small request.) Runs in a worker.
import { executionAsyncId, triggerAsyncId } from "node:async_hooks";
import type { ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Connection } from "./connection.ts";
import type { Traffic } from "./traffic.ts";

const INTERNAL_ERROR = 2;
/** How long a request that is only suspected may take to prove that it is well. */
const SUSPICION_MS = 2_000;

/** To be called by the listener of `uncaughtException` itself: the async ids are those of the code that threw. */
export function failThrower(traffic: Traffic): void {
  const [current, trigger] = [executionAsyncId(), triggerAsyncId()];
  for (const connection of traffic.connections) {
    const id = asyncIdOf(connection);
    if (id === 0 || (id !== current && id !== trigger)) continue;
    const due = connection.latest ?? connection.latestStream;
    if (due === null) continue;
    // Thrown while its request was handed to the app, or by a timer of the only request that there ever was: this one. By a timer of an earlier
    // request on the same connection: perhaps not, and then it ends by itself.
    if (id === current || connection.begun === 1) fail(due);
    else setTimeout(() => fail(due), SUSPICION_MS).unref();
  }
}

function asyncIdOf({ top, session, asyncId }: Connection): number {
  if (session !== null) return asyncId;
  return (top as { parser?: { getAsyncId?(): number } | null }).parser?.getAsyncId?.() ?? 0;
}

/** As Node's http does with `captureRejections`: 500 without the app's headers, or, when headers are out, a broken connection. */
function fail(due: ServerResponse | ServerHttp2Stream): void {
  if ("respond" in due) {
    if (due.closed || due.destroyed) return;
    if (due.headersSent) due.close(INTERNAL_ERROR);
    else due.respond({ ":status": 500 }, { endStream: true });
    return;
  }
  if (due.writableEnded || due.destroyed) return;
  if (due.headersSent) return void due.destroy();
  for (const name of due.getHeaderNames()) due.removeHeader(name);
  due.setHeader("connection", "close");
  due.statusCode = 500;
  due.end();
}
