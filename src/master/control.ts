// The control socket: takes orders from whoever may connect (this user and root) and tells how they go. Runs in the master.
// Its one rule: no client, whatever it sends or does not read, costs the master more than a bounded buffer or ever throws in it.
import { createServer, type Socket } from "node:net";
import { type Answer, encode, MAX_REQUEST_BYTES, parseRequest, type Request } from "../messenger/control.ts";
import type { LogLevel } from "../policy/effects.ts";
import type { State } from "../policy/state.ts";
import { openAt, openSomewhere } from "./control-socket.ts";
import type { Watch } from "./control-watch.ts";
import { Lingering } from "./linger.ts";
import { judgeRequest, type OrderSource } from "./orders.ts";

export interface ControlSource extends OrderSource {
  warn(message: string): void;
}

export interface Control {
  /** Every watched order may have gone on. */
  settled(state: State): void;
  /** A line of the master's log. */
  heard(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void;
  /** The service has ended: tells whoever waits for it. Their connections close with the process, as the last thing. */
  end(exitCode: number): void;
  /** Takes the socket's file away, at once. */
  remove(): void;
}

const MOST_CLIENTS = 64;
/** A client that has not sent its request by then loses its connection. */
const REQUEST_MS = 5_000;
/** What a client may still send when it has had its answer: it is read and dropped, for as long as its request might have taken, by as many clients again. */
const LINGER = { ms: REQUEST_MS, most: MOST_CLIENTS };
/** What may wait for a client that does not read; with more it loses its connection. */
const MOST_UNREAD_BYTES = 256 * 1024;
const NEWLINE = 10;

/**
 * @param path where to listen; null for the usual place, and none at all, with a warning, where that cannot be
 * @throws ClusterError ERR_CONFIG (exit 2) for a path that cannot be taken
 */
export async function openControl(path: string | null, source: ControlSource): Promise<Control> {
  const clients = new Map<Socket, Watch | null>();
  const lingering = new Lingering(LINGER);
  let hasComplained = false;
  const server = createServer({ allowHalfOpen: true }, welcome);
  const opened = path === null ? await openSomewhere(server, process.env) : await openAt(path, server);
  // From here on an error is one of accepting, such as too many open files: the client tries again.
  server.on("error", (error) => complain(error.message));
  if (typeof opened === "string") source.warn(opened);
  // It alone keeps no master alive.
  server.unref();

  return {
    settled(state) {
      for (const [client, watch] of clients) if (watch !== null) follow(client, watch, state);
    },
    heard(level, message, fields) {
      for (const [client, watch] of clients) if (watch !== null) say(client, ...watch.heard(level, message, fields));
    },
    end(exitCode) {
      for (const [client, watch] of clients)
        if (watch !== null) say(client, ...watch.settled(source.state(), source.now()), watch.ended(exitCode));
      remove();
    },
    remove,
  };

  function complain(why: string): void {
    if (hasComplained) return;
    hasComplained = true;
    source.warn(`the control socket cannot accept: ${why} (said once)`);
  }

  function remove(): void {
    if (typeof opened !== "string") opened.remove();
  }

  function welcome(client: Socket): void {
    client.on("error", () => client.destroy());
    client.once("close", () => clients.delete(client));
    if (clients.size >= MOST_CLIENTS) return dismiss(client, { event: "error", message: `${MOST_CLIENTS} clients are connected already` });
    clients.set(client, null);
    client.setTimeout(REQUEST_MS, () => dismiss(client, { event: "error", message: `expected a request within ${REQUEST_MS} ms` }));
    listen(client);
  }

  /** Waits for the one line, and for no more than that. */
  function listen(client: Socket): void {
    const chunks: Buffer[] = [];
    let size = 0;
    let isAsked = false;
    client.on("data", (chunk) => {
      if (isAsked) return dismiss(client, { event: "error", message: "expected one request on a connection" });
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_REQUEST_BYTES)
        return dismiss(client, { event: "error", message: `expected a line of at most ${MAX_REQUEST_BYTES} bytes` });
      if (!chunk.includes(NEWLINE)) return;
      isAsked = true;
      client.setTimeout(0);
      const text = Buffer.concat(chunks).toString();
      const end = text.indexOf("\n");
      const parsed = parseRequest(text.slice(0, end));
      chunks.length = 0;
      if (!parsed.ok) return dismiss(client, { event: "error", message: parsed.problem });
      if (text.length > end + 1) return dismiss(client, { event: "error", message: "expected one request on a connection" });
      answer(client, parsed.request);
    });
    // One that has said all it will say (`echo … | socat`) is still told how its order goes; if it has left altogether, the next word shows it.
    client.on("end", () => {
      if (!isAsked && size > 0) return dismiss(client, { event: "error", message: "expected a line that ends with a newline" });
      if (!isAsked) close(client);
    });
  }

  function answer(client: Socket, request: Request): void {
    const judged = judgeRequest(request, source);
    if (judged.type === "answered") return dismiss(client, judged.last);
    const { first, order, watch } = judged;
    say(client, first);
    source.order(order);
    if (!clients.has(client)) return;
    clients.set(client, watch);
    follow(client, watch, source.state());
  }

  function follow(client: Socket, watch: Watch, state: State): void {
    say(client, ...watch.settled(state, source.now()));
    if (watch.isOver) close(client);
  }

  /** A last word. */
  function dismiss(client: Socket, last: Answer): void {
    say(client, last);
    close(client);
  }

  /** It has its answer: its place is free, and what it still sends is dropped. */
  function close(client: Socket): void {
    clients.delete(client);
    lingering.close(client);
  }
}

/** Writes and forgets: what a client does not read it must not cost. */
function say(client: Socket, ...answers: readonly Answer[]): void {
  if (answers.length === 0 || !client.writable) return;
  // What it was given before counts: a status alone may be longer.
  if (client.writableLength > MOST_UNREAD_BYTES) return void client.destroy();
  client.write(answers.map(encode).join(""));
}
