// The one file that leans on Node's internals for listening: a socket bound without listening, a handle made of an inherited descriptor, and a
// group of handles in the place of a server's one. Used by the master (bind, self-test) and by workers. Proven at start by the self-test.
import type { ChildProcess } from "node:child_process";
import { fstatSync } from "node:fs";
import net from "node:net";

/** A listening or bound TCP handle of Node's own. */
export interface TcpHandle {
  readonly fd: number;
  onconnection?: unknown;
  listen(backlog: number): number;
  close(callback?: () => void): void;
  getsockname(out: object): number;
  getAsyncId(): number;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
}

/** A connection, as it was accepted. */
export interface ConnectionHandle {
  readonly fd: number;
  getpeername(out: object): number;
  readStop(): number;
  close(): void;
}

/** What Node makes of a server's handle. */
interface Accepting {
  onconnection(errno: number, connection?: ConnectionHandle): void;
}

/** libuv's flags of uv_tcp_bind. */
const UV_TCP_REUSEPORT = 2;
/** Node's own default. */
const BACKLOG = 511;

type CreateHandle = (address: string, port: number, family: 4 | 6, fd: number, flags: number) => TcpHandle | number;

/**
 * Binds a TCP socket, without listening.
 * @param host null is all interfaces: dual stack, or IPv4 alone where IPv6 is off
 * @param how "shared" sets SO_REUSEPORT, so that several can be bound to one port
 * @returns the handle, or a negative errno
 */
export function bindHandle(host: string | null, port: number, how: "shared" | "alone" = "shared"): TcpHandle | number {
  const flags = how === "shared" ? UV_TCP_REUSEPORT : 0;
  if (host !== null) return bindTo(host, port, net.isIPv4(host) ? 4 : 6, flags);
  const dual = bindTo("::", port, 6, flags);
  return typeof dual === "number" && dual !== -98 ? bindTo("0.0.0.0", port, 4, flags) : dual;
}

/** Whether two handles are of one socket, whatever their descriptors: one that has crossed a channel comes back by another. */
export function isSameSocket(one: TcpHandle, other: TcpHandle): boolean {
  if (one.fd < 0 || other.fd < 0) return false;
  return one.fd === other.fd || fstatSync(one.fd).ino === fstatSync(other.fd).ino;
}

/** libuv keeps EADDRINUSE back until somebody asks. */
function bindTo(address: string, port: number, family: 4 | 6, flags: number): TcpHandle | number {
  const create = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;
  const handle = create(address, port, family, -1, flags);
  if (typeof handle === "number") return handle;
  const errno = handle.getsockname({});
  if (errno === 0) return handle;
  handle.close();
  return errno;
}

/**
 * Binds an abstract unix socket, at once: a name that one process in this network namespace can have, and that goes with it.
 * @returns the handle, or a negative errno
 */
export function bindName(name: string): TcpHandle | number {
  const create = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;
  return create(`\0${name}`, -1, -1 as never, -1, 0);
}

/** A handle for a listening descriptor that this process has inherited. A descriptor must not be opened twice. */
export function openHandle(fd: number): TcpHandle {
  const carrier = new net.Socket({ fd, readable: false, writable: false }) as unknown as { _handle: TcpHandle | null };
  const handle = carrier._handle as TcpHandle;
  carrier._handle = null;
  return handle;
}

/** The handle that a listening server accepts by. */
export function handleOf(server: net.Server): TcpHandle | null {
  return (server as unknown as { _handle: TcpHandle | null })._handle;
}

/** Makes listen() take objects with this prototype for TCP handles. */
export function looksLikeTcp(prototype: object): void {
  if (Object.getPrototypeOf(prototype) !== Object.prototype) return;
  const some = bindHandle("127.0.0.1", 0);
  if (typeof some === "number") return;
  Object.setPrototypeOf(prototype, Object.getPrototypeOf(some));
  some.close();
}

/** Puts a handle into the options of a listen() that is just beginning. They may be the app's own, and used again: Node reads it once. */
export function handIn(options: object, handle: object): void {
  Object.defineProperty(options, "_handle", {
    configurable: true,
    get(this: { _handle?: unknown }) {
      delete this._handle;
      return handle;
    },
  });
}

/**
 * Makes the server that owns one handle accept from one more. Node's own accept code runs for it: connections count, limits hold and events come
 * as from the first handle.
 * @param divert whether a connection goes elsewhere for now, perhaps to come back by giveConnection()
 * @returns 0, or a negative errno
 */
export function attachHandle(first: object, more: TcpHandle, backlog: number, divert: (connection: ConnectionHandle) => boolean): number {
  const owner = ownerSymbol(first);
  if (owner === undefined) return -22;
  const model = first as Accepting & { readonly [owner: symbol]: unknown };
  more.onconnection = (errno: number, connection?: ConnectionHandle): void => {
    if (errno !== 0 || connection === undefined || !divert(connection)) model.onconnection(errno, connection);
  };
  (more as unknown as Record<symbol, unknown>)[owner] = model[owner];
  return more.listen(backlog);
}

/**
 * Accepts from a bound handle without a server.
 * @returns 0, or a negative errno
 */
export function acceptFrom(handle: TcpHandle, onConnection: (connection: ConnectionHandle) => void): number {
  // Without a connection it is an error of one accept, such as one descriptor too many: the next one is tried as it comes.
  handle.onconnection = (errno: number, connection?: ConnectionHandle): void => {
    if (errno === 0 && connection !== undefined) onConnection(connection);
  };
  return handle.listen(BACKLOG);
}

/** Gives a server a connection as if its own handle had accepted it. */
export function giveConnection(first: object, connection: ConnectionHandle): void {
  (first as Accepting).onconnection(0, connection);
}

/** Whether it is a handle to listen with, whatever was sent for one: a socket or a server is an object of another kind. */
export function isListener(sent: unknown): sent is TcpHandle {
  const { fd, close, listen } = (sent ?? {}) as Partial<Record<keyof TcpHandle, unknown>>;
  return typeof fd === "number" && typeof close === "function" && typeof listen === "function";
}

/** Whether it is a connection whose client is still there, whatever was sent for one. */
export function isConnected(sent: TcpHandle): boolean {
  const { getpeername } = sent as Partial<ConnectionHandle>;
  return typeof getpeername === "function" && getpeername.call(sent, {}) === 0;
}

/** Whether a handle that was sent down a channel is still to be taken by the other side. */
export function isHandleInFlight(channel: NodeJS.Process | ChildProcess = process): boolean {
  return (channel as unknown as { _handleQueue?: unknown })._handleQueue != null;
}

/** Whether the other side has gone while a handle was still to be taken: Node waits for its acknowledgement before it says "disconnect", for ever. */
export function isGoneUnheard(): boolean {
  return process.channel == null && !process.connected && isHandleInFlight();
}

interface Sender {
  _handleQueue: readonly { readonly handle?: unknown }[] | null;
  _disconnect(): void;
}

/** How many handles wait because the other side has not acknowledged the one before. */
export function countUnsent(child: ChildProcess): number {
  return ((child as unknown as Sender)._handleQueue ?? []).filter(({ handle }) => handle != null).length;
}

/** Closes a channel at once. Node's disconnect() waits until a handle that is on its way is acknowledged, which may not be heard any more. */
export function closeChannel(child: ChildProcess): void {
  const sender = child as unknown as Sender;
  child.disconnect();
  if (child.channel == null) return;
  sender._handleQueue = null;
  sender._disconnect();
}

/** Sends at once what Node would keep back for as long as a handle that was sent before waits to be acknowledged. */
export function sendPastHandles(send: () => void): void {
  const sender = process as unknown as { _handleQueue?: unknown };
  const queue = sender._handleQueue;
  sender._handleQueue = null;
  try {
    send();
  } finally {
    sender._handleQueue = queue;
  }
}

function ownerSymbol(handle: object): symbol | undefined {
  return Object.getOwnPropertySymbols(handle).find((symbol) => symbol.description === "owner_symbol");
}
