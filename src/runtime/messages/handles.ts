// Sockets and servers that are sent with a letter. They travel as Node's bare handles: as a net.Socket one would be read from on its way through the master, and
// what it read would be lost. Runs in a child.
import { createServer, Server, Socket } from "node:net";
import type { HandedKind } from "../../messenger/handed.ts";
import type { TcpHandle } from "../../sockets/internals.ts";

/** A connection, which changes hands, or a server, which both sides listen on afterwards. */
export type Sendable = Socket | Server;

export interface Outgoing {
  readonly what: HandedKind;
  readonly native: TcpHandle;
  /** It is on its way. */
  release(): void;
}

export function isSendable(value: unknown): value is Sendable {
  return value instanceof Socket || value instanceof Server;
}

/**
 * Null for a connection that is closed already: its client may be gone at any time.
 * @throws TypeError for what has no descriptor of its own: a TLS socket, a server that does not listen
 */
export function takeHandle(sendable: Sendable): Outgoing | null {
  const owner = sendable as unknown as { _handle: (TcpHandle & { readStop?(): void }) | null; encrypted?: unknown };
  const native = owner._handle;
  if (native === null && sendable instanceof Socket) return null;
  if (native === null || typeof native.fd !== "number" || owner.encrypted === true)
    throw new TypeError(
      "messenger: expected a socket that is open, or a server that listens by itself, got one without a descriptor of its own",
    );
  if (sendable instanceof Server) return { what: "server", native, release() {} };
  native.readStop?.();
  owner._handle = null;
  return {
    what: "socket",
    native,
    release() {
      native.close();
      sendable.destroy();
    },
  };
}

/** A socket is paused: nothing is read before somebody listens. */
export function makeSendable(what: HandedKind, native: TcpHandle): Sendable {
  if (what === "socket") return new Socket({ handle: native, readable: true, writable: true, pauseOnCreate: true } as never);
  return createServer().listen(native);
}

export function closeSendable(sendable: Sendable): void {
  if (sendable instanceof Server) sendable.close();
  else sendable.destroy();
}
