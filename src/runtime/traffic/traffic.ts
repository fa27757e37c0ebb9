// Watches the app's servers from outside, by Node's diagnostics channels: who listens, which connections are open, which answers are due.
// Costs one object per connection and one set entry per request; touches nothing of the app until a drain begins. Runs in a child.
import { executionAsyncId } from "node:async_hooks";
import diagnostics from "node:diagnostics_channel";
import type { ServerResponse } from "node:http";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Server, Socket } from "node:net";
import { type Connection, isSecure, newConnection, stays } from "./connection.ts";
import { goAway } from "./go-away.ts";
import { closeIfLast } from "./last-response.ts";
import { closeListener } from "./listener.ts";
import { watchUpgrades } from "./upgrades.ts";

type Listening = (server: Server) => void;

/** So many connections of which something can be told stand for all, and so many are looked at for them. */
const SAMPLE = 8;
const MOST_LOOKED_AT = 64;

export class Traffic {
  /** Requests, streams of HTTP/2 among them, that were begun since the process started. */
  requests = 0;
  /** Connections since the process started. */
  accepted = 0;
  readonly servers: Set<Server> = new Set();
  readonly connections: Set<Connection> = new Set();
  readonly #responses: Set<ServerResponse> = new Set();
  readonly #known: WeakMap<object, Connection> = new WeakMap();
  readonly #watched: WeakSet<Server> = new WeakSet();
  readonly #listeners: Listening[] = [];
  readonly #settled: (() => void)[] = [];
  #streams = 0;
  #closing = false;

  constructor() {
    diagnostics.subscribe("tracing:net.server.listen:asyncEnd", (message) => this.#onListening((message as { server: Server }).server));
    diagnostics.subscribe("net.server.socket", (message) => this.#onSocket((message as { socket: Socket }).socket));
    diagnostics.subscribe("http.server.request.start", (message) => {
      const { socket, response } = message as { socket: Socket; response: ServerResponse };
      this.#onRequest(socket, response);
    });
    diagnostics.subscribe("http2.server.stream.created", (message) => this.#onStream((message as { stream: ServerHttp2Stream }).stream));
  }

  onListening(listener: Listening): void {
    this.#listeners.push(listener);
  }

  /** Calls back whenever an answer or a connection has ended. */
  onSettled(listener: () => void): void {
    this.#settled.push(listener);
  }

  /** Answers that are due; one whose connection is gone is not. */
  get inFlight(): number {
    return this.#responses.size + this.#streams;
  }

  /** Whether connections stay here, going by the oldest. */
  get isLasting(): boolean {
    let lookedAt = 0;
    let told = 0;
    let lasting = 0;
    for (const connection of this.connections) {
      const does = stays(connection);
      if (does !== null) told++;
      if (does === true) lasting++;
      if (told === SAMPLE || ++lookedAt === MOST_LOOKED_AT) break;
    }
    return lasting > 0 && lasting * 2 >= told;
  }

  /** How many connections one server has. */
  countOn(server: Server): number {
    return [...this.connections].filter(({ raw }) => (raw as { server?: Server }).server === server).length;
  }

  /** Stops accepting on every server, without closing a single connection. Later listens are closed at once. */
  closeListeners(): void {
    this.#closing = true;
    for (const server of this.servers) closeListener(server);
  }

  /** Tells every client, in the words of its protocol, that what it has asked for is the last on its connection; now and from here on. */
  lastResponses(): void {
    for (const response of this.#responses) closeIfLast(response, this.#connectionOf(response.req.socket));
    const now = performance.now();
    for (const connection of this.connections) {
      connection.idleAt = now;
      if (connection.begun > 0 && connection.top === connection.raw) goAway(connection);
    }
  }

  #onListening(server: Server): void {
    this.servers.add(server);
    if (!this.#watched.has(server)) this.#watch(server);
    if (this.#closing) closeListener(server);
    for (const listener of this.#listeners) listener(server);
  }

  /** What the diagnostics channels do not tell. None of these listeners changes what a server does. */
  #watch(server: Server): void {
    this.#watched.add(server);
    // Opened again in the turn that it was closed in, it listens when it hears of its end.
    server.on("close", () => server.listening || this.servers.delete(server));
    if (isSecure(server)) server.prependListener("secureConnection", (socket: Socket) => void this.#connectionOf(socket));
    server.prependListener("session", (session: ServerHttp2Session) => this.#onSession(session));
    watchUpgrades(server, (socket) => {
      this.#connectionOf(socket).webSocketAt = socket.bytesWritten;
    });
  }

  #onSocket(socket: Socket): void {
    this.accepted++;
    const connection = this.#connectionOf(socket);
    connection.idleAt = performance.now();
    this.connections.add(connection);
    socket.once("close", () => {
      this.connections.delete(connection);
      this.#settle();
      if (connection.inFlight > 0) setImmediate(() => this.#forgetResponses(connection));
    });
  }

  /** A TLS socket leads to the one that was accepted. Whoever makes connections by hand gets one that is not counted. */
  #connectionOf(socket: Socket): Connection {
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const parent = (socket as { _parent?: Socket | null })._parent ?? null;
    const connection = parent === null ? newConnection(socket) : this.#connectionOf(parent);
    connection.top = socket;
    this.#known.set(socket, connection);
    return connection;
  }

  #onSession(session: ServerHttp2Session): void {
    // `session.socket` is a proxy that binds every function to the socket behind it.
    this.#connectionOf(session.socket.valueOf() as Socket).session = session;
  }

  #onRequest(socket: Socket, response: ServerResponse): void {
    this.requests++;
    this.#responses.add(response);
    const connection = this.#connectionOf(socket);
    connection.begun++;
    connection.inFlight++;
    connection.latest = response;
    if (this.#closing) closeIfLast(response, connection);
    response.once("close", () => this.#onResponseEnded(response, connection));
  }

  #onResponseEnded(response: ServerResponse, connection: Connection): void {
    if (!this.#responses.delete(response)) return;
    connection.inFlight--;
    if (connection.latest === response) connection.latest = null;
    this.#onEnded(connection);
  }

  /** A response that waits behind another one (pipelining) hears nothing of the end of their connection, on Node 22 ever, elsewhere after an upgrade. */
  #forgetResponses(connection: Connection): void {
    if (connection.inFlight === 0) return;
    for (const response of this.#responses)
      if (this.#connectionOf(response.req.socket) === connection) this.#onResponseEnded(response, connection);
  }

  #onStream(stream: ServerHttp2Stream): void {
    const { id, session } = stream;
    // Even ids are the server's own pushes, which belong to a request.
    if (id === undefined || id % 2 === 0 || session === undefined) return;
    this.requests++;
    this.#streams++;
    const connection = this.#connectionOf(session.socket.valueOf() as Socket);
    connection.session ??= session as ServerHttp2Session;
    connection.begun++;
    connection.inFlight++;
    connection.latestStream = stream;
    connection.asyncId = executionAsyncId();
    if (this.#closing && connection.top === connection.raw) goAway(connection);
    stream.once("close", () => {
      this.#streams--;
      connection.inFlight--;
      if (connection.latestStream === stream) connection.latestStream = null;
      this.#onEnded(connection);
    });
  }

  #onEnded(connection: Connection): void {
    if (this.#closing) {
      connection.idleAt = performance.now();
      goAway(connection);
    }
    this.#settle();
  }

  #settle(): void {
    for (const listener of this.#settled) listener();
  }
}
