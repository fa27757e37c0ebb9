// Asks this very worker, whatever its siblings on the same port do: one HTTP request over a pipe in memory. Runs in a worker.
import type { Server, Socket } from "node:net";
import { duplexPair } from "node:stream";

/**
 * @param path such as "/healthz"
 * @param timeoutMs after it the request counts as failed
 * @returns the status code
 */
export function probeServer(server: Server, path: string, timeoutMs: number): Promise<number> {
  // Not by `import`: that evaluates all of http's exports, WebSocket among them, which loads undici into every worker (30 ms, 7 MiB).
  const http = process.getBuiltinModule("node:http");
  const [near, far] = duplexPair();
  server.emit(server instanceof http.Server ? "connection" : "secureConnection", asSocket(far));
  return new Promise((resolve, reject) => {
    const request = http.get(
      { path, host: "localhost", headers: { connection: "close" }, createConnection: () => asSocket(near) },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    // Not the request's own time-out, which is its socket's: this one has none.
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    request.on("error", reject);
    request.on("close", () => {
      clearTimeout(timer);
      near.destroy();
    });
  });
}

/** http works on any duplex stream, but asks it for a few manners of a socket. */
function asSocket(stream: unknown): Socket {
  const manners = {
    setTimeout: () => stream,
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
    remoteAddress: "127.0.0.1",
  };
  return Object.assign(stream as object, manners) as unknown as Socket;
}
