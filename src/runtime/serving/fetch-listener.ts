// Serves a web-standard handler over node:http: requests and responses stream both ways, and whoever is slow holds up only itself.
// Runs in a worker that serves what its app exports.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Fetch } from "./exported.ts";

/** Statuses that have no body, whatever the response says. */
const BODILESS: ReadonlySet<number> = new Set([101, 204, 205, 304]);

export function fetchListener(fetch: Fetch): RequestListener {
  return (incoming, outgoing) => {
    const controller = new AbortController();
    outgoing.once("close", () => {
      if (!outgoing.writableFinished) controller.abort(new DOMException("the client has gone", "AbortError"));
    });
    answer(fetch, incoming, outgoing, controller.signal).catch((error: unknown) => fail(outgoing, error, controller.signal));
  };
}

async function answer(fetch: Fetch, incoming: IncomingMessage, outgoing: ServerResponse, signal: AbortSignal): Promise<void> {
  const body = new Body(incoming);
  const request = requestOf(incoming, body, signal);
  if (request === null) return void outgoing.writeHead(400, { connection: "close" }).end();
  try {
    const response = await fetch(request, { incoming, outgoing });
    if (typeof response?.status !== "number" || typeof response.headers?.forEach !== "function")
      throw new TypeError(`expected fetch() to return a Response; got ${response === null ? "null" : typeof response}`);
    // Who has gone meanwhile is not heard to go once more.
    if (signal.aborted) void response.body?.cancel(signal.reason).catch(() => {});
    else await send(response, incoming, outgoing);
  } finally {
    body.leave();
  }
}

/** Null for what no Request can be made of: a method such as CONNECT, or a host that is none. */
function requestOf(incoming: IncomingMessage, body: Body, signal: AbortSignal): Request | null {
  const { method = "GET", url = "/", rawHeaders, socket } = incoming;
  const scheme = (socket as TLSSocket).encrypted === true ? "https" : "http";
  const host = incoming.headers.host || "localhost";
  // What would be read as a part of the path, or hide the host.
  if (/[/?#\\@\s]/.test(host)) return null;
  const headers = new Headers();
  try {
    for (let at = 0; at < rawHeaders.length; at += 2) headers.append(rawHeaders[at] as string, rawHeaders[at + 1] as string);
    const target = url.startsWith("/") ? new URL(`${scheme}://${host}${url}`) : new URL(url === "*" ? `${scheme}://${host}/` : url);
    const hasBody =
      method !== "GET" && method !== "HEAD" && ("transfer-encoding" in incoming.headers || Number(incoming.headers["content-length"]) > 0);
    return new Request(target, { method, headers, signal, ...(hasBody ? { body: body.stream(), duplex: "half" } : {}) } as RequestInit);
  } catch {
    return null;
  }
}

/** The body of a request, read when and as fast as the app reads it; what it leaves is Node's to throw away. */
class Body {
  readonly #incoming: IncomingMessage;
  #chunks: AsyncIterator<Buffer> | null = null;
  /** The app has a stream of it. */
  #isGiven = false;
  #isPulling = false;
  #isAnswered = false;
  #isLeft = false;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
  }

  stream(): ReadableStream<Uint8Array> {
    this.#isGiven = true;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (this.#isLeft) return controller.error(new TypeError("the rest of the request's body went when the response had been sent"));
          const { done, value } = await this.#next();
          if (done === true) controller.close();
          else controller.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
        },
        cancel: () => this.leave(),
      },
      { highWaterMark: 0 },
    );
  }

  async #next(): Promise<IteratorResult<Buffer>> {
    this.#chunks ??= this.#incoming.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    this.#isPulling = true;
    try {
      return await this.#chunks.next();
    } finally {
      this.#isPulling = false;
      if (this.#isAnswered) this.leave();
    }
  }

  /** The request is answered: the rest is taken off the connection, which may have more requests. Who is reading it a turn later may read on. */
  leave(): void {
    this.#isAnswered = true;
    if (this.#isGiven) setImmediate(() => this.#leaveNow());
  }

  #leaveNow(): void {
    if (this.#isPulling || this.#isLeft) return;
    this.#isLeft = true;
    if (this.#chunks === null) return;
    const chunks = this.#chunks;
    this.#chunks = null;
    Promise.resolve(chunks.return?.()).then(
      () => this.#incoming.resume(),
      () => {},
    );
  }
}

async function send(response: Response, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { status, statusText, headers, body } = response;
  for (const [name, value] of headers) if (name !== "set-cookie") outgoing.setHeader(name, value);
  const cookies = headers.getSetCookie();
  if (cookies.length > 0) outgoing.setHeader("set-cookie", cookies);
  outgoing.statusCode = status;
  if (statusText !== "") outgoing.statusMessage = statusText;
  if (body === null || BODILESS.has(status) || incoming.method === "HEAD") {
    void body?.cancel().catch(() => {});
    outgoing.end();
    return;
  }
  const reader = body.getReader();
  const stop = (): void => void reader.cancel(new DOMException("the client has gone", "AbortError")).catch(() => {});
  outgoing.once("close", stop);
  const first = readAhead(reader);
  const turned = turn();
  // Whoever waits for the first of it, as the client of an event stream does, hears at once that there is an answer.
  if (!(await Promise.race([settled(first), turned]))) outgoing.flushHeaders();
  let chunk = await first;
  let next = readAhead(reader);
  // A body that is whole at once, as most are, goes out in one piece, with its length.
  const isWhole =
    !outgoing.headersSent &&
    !chunk.done &&
    (await Promise.race([
      next.then(
        ({ done }) => done,
        () => false,
      ),
      turned,
    ]));
  if (isWhole && chunk.value !== undefined) {
    if (!headers.has("content-length") && !headers.has("transfer-encoding")) outgoing.setHeader("content-length", chunk.value.byteLength);
    outgoing.off("close", stop).end(chunk.value);
    return;
  }
  while (!chunk.done) {
    if (outgoing.destroyed) return;
    if (!outgoing.write(chunk.value)) await drained(outgoing);
    chunk = await next;
    if (!chunk.done) next = readAhead(reader);
  }
  outgoing.off("close", stop).end();
}

/** What fails while something else is waited for is met where it is awaited, and not as a rejection that nobody handles. */
function readAhead<T>(reader: { read(): Promise<T> }): Promise<T> {
  const next = reader.read();
  next.catch(() => {});
  return next;
}

async function settled(promise: Promise<unknown>): Promise<true> {
  await promise.catch(() => {});
  return true;
}

/** False, one turn of the event loop from now. */
function turn(): Promise<boolean> {
  return new Promise((resolve) => setImmediate(() => resolve(false)));
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done).off("close", done);
      resolve();
    };
    outgoing.once("drain", done).once("close", done);
  });
}

/** As web frameworks do: the client gets 500, or the end of the connection where the answer has begun; the worker lives on. */
function fail(outgoing: ServerResponse, error: unknown, signal: AbortSignal): void {
  // Not the app's fault: whoever asked has gone.
  if (signal.aborted) return;
  console.error("Rollcall: fetch() failed:", error);
  if (outgoing.headersSent) return void outgoing.destroy();
  for (const name of outgoing.getHeaderNames()) outgoing.removeHeader(name);
  outgoing.writeHead(500, { "content-type": "text/plain" }).end("Internal Server Error");
}
