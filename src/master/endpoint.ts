// The metrics port: /metrics for Prometheus and /status as JSON, read-only. A slow client loses its connection, not the others'.
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { limitGuests } from "./guests.ts";
import { oneAtATime } from "./one-at-a-time.ts";

export interface EndpointSource {
  readonly contentType: string;
  metrics(): Promise<string>;
  status(): object;
}

export interface Endpoint {
  readonly port: number;
  close(): void;
}

/** An answer may be as large as 100 KiB and wait for a client that does not read. */
const MOST_CLIENTS = 128;

/**
 * @param port 0 takes any free port
 * @param host null is all interfaces
 * @throws EADDRINUSE and its like
 */
export async function openEndpoint(port: number, host: string | null, source: EndpointSource): Promise<Endpoint> {
  // Not by `import`: that evaluates all of http's exports, WebSocket among them, which loads undici into the master (30 ms, 7 MiB).
  const server = process.getBuiltinModule("node:http").createServer({ connectionsCheckingInterval: 1_000 });
  limitGuests(server, MOST_CLIENTS);
  // A scrape takes milliseconds of the master: a crowd of scrapers shares them.
  const metrics = oneAtATime(() => source.metrics());
  server.on("request", (request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    if (request.method !== "GET" && request.method !== "HEAD")
      return answer(response, 405, "text/plain", "Method Not Allowed\n", { allow: "GET, HEAD" });
    if (path === "/status") return answer(response, 200, "application/json", `${JSON.stringify(source.status(), null, 2)}\n`);
    if (path !== "/metrics") return answer(response, 404, "text/plain", "Not Found: this port has /metrics and /status\n");
    metrics().then(
      (text) => answer(response, 200, source.contentType, text),
      (error: Error) => answer(response, 500, "text/plain", `Cannot collect the metrics: ${error.message}\n`),
    );
  });
  await listen(server, port, host);
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body), "cache-control": "no-store", ...headers });
  response.end(body);
}

function listen(server: Server, port: number, host: string | null): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
