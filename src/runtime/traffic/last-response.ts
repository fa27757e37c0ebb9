// `Connection: close` on the last response of an HTTP/1 connection. Decided as the headers are made, because only then is it known which one is the
// last: a pipelining client may have sent more, and whatever this process has read it must answer. Runs in a child, from the drain on.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Connection } from "./connection.ts";

interface Parser {
  /** A copy of the chunk that is being parsed, or nothing. */
  getCurrentBuffer?(): Buffer | undefined;
}

/** Where in the chunk that is being parsed the last request ends. */
const reading: WeakMap<Connection, number> = new WeakMap();
const lingering: WeakSet<Connection> = new WeakSet();

/** Makes the response say `Connection: close` if it is the last in hand when its headers are made. To be called as soon as it is known. */
export function closeIfLast(response: ServerResponse, connection: Connection): void {
  if (response.headersSent) return;
  const hasMore = isFollowed(response.req, connection);
  const { writeHead } = response;
  response.writeHead = ((status: number, ...rest: unknown[]) => {
    const isLast = connection.latest === response && !(hasMore && reading.has(connection));
    if (status < 200 || !isLast) return Reflect.apply(writeHead, response, [status, ...rest]);
    response.shouldKeepAlive = false;
    if (response.hasHeader("connection")) response.setHeader("connection", "close");
    closeGently(response, connection);
    return Reflect.apply(writeHead, response, [status, ...rest.map(withoutConnection)]);
  }) as ServerResponse["writeHead"];
}

/**
 * Whether there is something behind this request in the chunk that it came in. When in doubt there is: then the response promises nothing, and a
 * request that follows, or the end of the idle allowance, closes the connection.
 */
function isFollowed({ headers }: IncomingMessage, connection: Connection): boolean {
  const chunk = (connection.top as Socket & { parser?: Parser | null }).parser?.getCurrentBuffer?.();
  if (chunk === undefined || chunk === null) return false;
  // All of a chunk is parsed before anything else runs.
  if (!reading.has(connection)) process.nextTick(() => reading.delete(connection));
  const end = endOfRequest(chunk, reading.get(connection) ?? 0, headers);
  reading.set(connection, end);
  return end < chunk.length;
}

function endOfRequest(chunk: Buffer, start: number, headers: IncomingMessage["headers"]): number {
  const headEnd = chunk.indexOf("\r\n\r\n", start);
  const bodyStart = headEnd === -1 ? start : headEnd + 4;
  if (headers["transfer-encoding"] === undefined) return bodyStart + Number(headers["content-length"] ?? 0);
  const lastChunk = chunk.indexOf("0\r\n\r\n", bodyStart);
  return lastChunk === -1 ? chunk.length : lastChunk + 5;
}

/** What the app says of the connection in the headers that it gives to writeHead(), in any of their three forms. */
function withoutConnection(headers: unknown): unknown {
  if (typeof headers !== "object" || headers === null) return headers;
  const isOther = (name: unknown): boolean => String(name).toLowerCase() !== "connection";
  if (!Array.isArray(headers)) return Object.fromEntries(Object.entries(headers).filter(([name]) => isOther(name)));
  if (Array.isArray(headers[0])) return headers.filter((pair: unknown[]) => isOther(pair[0]));
  return headers.filter((_, index) => isOther(headers[index - (index % 2)]));
}

/**
 * Node closes a connection right after its last response. If the client is still sending then, a body that nobody waited for or more requests, the
 * kernel resets the connection, and takes the response with it that the client has not read yet. So then only this end is closed, and what comes is
 * read until the client closes too, or the sweep of idle connections does.
 */
function closeGently(response: ServerResponse, connection: Connection): void {
  const { top } = connection;
  const isPipelined = connection.inFlight > 1;
  // What has not been read can still be asked for elsewhere.
  if (isPipelined && response.req.complete) top.pause();
  if (lingering.has(connection) || typeof top.destroySoon !== "function") return;
  lingering.add(connection);
  const { destroySoon } = top;
  top.destroySoon = () => {
    if (response.req.complete && !isPipelined) return destroySoon.call(top);
    top.end();
    if (response.req.complete) top.removeAllListeners("data").on("data", ignore);
    top.resume();
  };
}

function ignore(): void {}
