// One connection that the app has accepted: what is spoken on it and what is due. Runs in a child.
import type { ServerResponse } from "node:http";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Server, Socket } from "node:net";
import type { Scheme } from "../../messenger/wire.ts";

export interface Connection {
  /** As it was accepted: under TLS this one carries the bytes. */
  readonly raw: Socket;
  /** What the app speaks on: the TLS socket, or the accepted one itself. */
  top: Socket;
  /** Requests, or streams of HTTP/2, that were begun on it. */
  begun: number;
  /** Those of them that are not done. */
  inFlight: number;
  /** HTTP/1: the request that came last, while it is not done. */
  latest: ServerResponse | null;
  /** HTTP/2 only. */
  session: ServerHttp2Session | null;
  /** HTTP/2: the stream that was begun last. */
  latestStream: ServerHttp2Stream | null;
  /** HTTP/2: in which async context its streams begin. */
  asyncId: number;
  /** The app was asked to make a WebSocket of it: how many bytes had been written before the app answered that. */
  webSocketAt: number | null;
  /** Since when nothing is due; known only while draining. */
  idleAt: number;
}

/** `handshake` is TLS that is not agreed on yet; `upgraded` is any protocol after HTTP but a WebSocket; `raw` never was HTTP. */
export type Kind = "handshake" | "http1" | "http2" | "web-socket" | "upgraded" | "raw";

export function newConnection(raw: Socket): Connection {
  return {
    raw,
    top: raw,
    begun: 0,
    inFlight: 0,
    latest: null,
    session: null,
    latestStream: null,
    asyncId: 0,
    webSocketAt: null,
    idleAt: 0,
  };
}

export function kindOf({ raw, top, session, webSocketAt }: Connection): Kind {
  if (session !== null) return "http2";
  if (webSocketAt !== null) return "web-socket";
  const { parser } = top as { parser?: object | null };
  if (parser != null) return "http1";
  // http takes its parser away when the connection is no longer its own.
  if (parser === null) return "upgraded";
  return top === raw && isSecure((raw as { server?: Server }).server) ? "handshake" : "raw";
}

/**
 * Whether more is to come on it, as far as can be told: it is no connection of one request after the other, has had a second one, or idles after its first. Null: of one
 * that has not said anything yet nothing can.
 */
export function stays(connection: Connection): boolean | null {
  const kind = kindOf(connection);
  const { begun, inFlight, top } = connection;
  if (kind === "handshake" || (kind === "http1" && begun === 0)) return null;
  return kind !== "http1" || begun > 1 || (inFlight === 0 && !top.writableEnded);
}

/** Whether its end would cut somebody off: an idle connection of HTTP is only a convenience. */
export function isHeld(connection: Connection): boolean {
  if (connection.inFlight > 0) return true;
  const kind = kindOf(connection);
  return kind === "raw" || kind === "upgraded" || kind === "web-socket";
}

/** Without loading node:tls into every worker. */
export function isSecure(server: Server | undefined): boolean {
  return typeof (server as { setSecureContext?: unknown } | undefined)?.setSecureContext === "function";
}

export function speaksHttp2(server: Server): boolean {
  return typeof (server as { updateSettings?: unknown }).updateSettings === "function";
}

/** Without loading node:http2 or node:https: their servers, and node:http's, have one of these. */
export function schemeOf(server: Server): Scheme {
  const { closeIdleConnections } = server as { closeIdleConnections?: unknown };
  const isHttp = typeof closeIdleConnections === "function" || speaksHttp2(server);
  if (isSecure(server)) return isHttp ? "https" : "tls";
  return isHttp ? "http" : "tcp";
}
