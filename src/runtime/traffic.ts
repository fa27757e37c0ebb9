// Watches the app's servers from outside, by Node's diagnostics channels: who listens, which connections are open, which responses are due.
// Costs one set entry per connection and one per request; touches nothing of the app until a drain begins. Runs in a child.
import diagnostics from "node:diagnostics_channel";
import type { ServerResponse } from "node:http";
import type { Server, Socket } from "node:net";
import { closeListener } from "./listener.ts";

type Listening = (server: Server) => void;

export class Traffic {
  /** Requests that were begun since the process started. */
  requests = 0;
  readonly servers: Set<Server> = new Set();
  readonly sockets: Set<Socket> = new Set();
  readonly responses: Set<ServerResponse> = new Set();
  readonly #listeners: Listening[] = [];
  readonly #settled: (() => void)[] = [];
  #closing = false;

  constructor() {
    diagnostics.subscribe("tracing:net.server.listen:asyncEnd", (message) => this.#onListening((message as { server: Server }).server));
    diagnostics.subscribe("net.server.socket", (message) => this.#onSocket((message as { socket: Socket }).socket));
    diagnostics.subscribe("http.server.request.start", (message) => {
      this.#onRequest((message as { response: ServerResponse }).response);
    });
  }

  onListening(listener: Listening): void {
    this.#listeners.push(listener);
  }

  /** Calls back whenever a response or a connection has ended. */
  onSettled(listener: () => void): void {
    this.#settled.push(listener);
  }

  /** Responses that are due; a response whose connection is gone is not. */
  get inFlight(): number {
    return this.responses.size;
  }

  isBusy(socket: Socket): boolean {
    // By a search, because a drain asks seldom; a count per connection would cost every request of the process's life.
    for (const response of this.responses) if (response.req.socket === socket) return true;
    return false;
  }

  /** Stops accepting on every server, without closing a single connection. Later listens are closed at once. */
  closeListeners(): void {
    this.#closing = true;
    for (const server of this.servers) closeListener(server);
  }

  /** Every response whose headers are not out yet, now and from here on, says `Connection: close`. */
  lastResponses(): void {
    for (const response of this.responses) sayClose(response);
  }

  #onListening(server: Server): void {
    this.servers.add(server);
    server.once("close", () => this.servers.delete(server));
    if (this.#closing) closeListener(server);
    for (const listener of this.#listeners) listener(server);
  }

  #onSocket(socket: Socket): void {
    this.sockets.add(socket);
    socket.once("close", () => {
      this.sockets.delete(socket);
      this.#settle();
    });
  }

  #onRequest(response: ServerResponse): void {
    this.requests++;
    this.responses.add(response);
    if (this.#closing) sayClose(response);
    // `on`, not `once`: it comes once anyway, and the wrapper of `once` costs each request.
    response.on("close", () => {
      this.responses.delete(response);
      this.#settle();
    });
  }

  #settle(): void {
    for (const listener of this.#settled) listener();
  }
}

function sayClose(response: ServerResponse): void {
  if (response.headersSent) return;
  response.shouldKeepAlive = false;
}
