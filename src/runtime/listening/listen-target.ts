// Where a listen() wants to be, and whether that can be held: a path, a descriptor, port 0, a host by name and `exclusive` keep Node's semantics.
// Pure. Runs in a worker.
import net from "node:net";

/** What the tracing channel shows of a listen(): Node reads the options again after the subscribers ran. */
export interface ListenOptions {
  readonly port?: unknown;
  readonly host?: unknown;
  readonly path?: unknown;
  readonly fd?: unknown;
  readonly handle?: unknown;
  readonly backlog?: unknown;
  readonly exclusive?: unknown;
  readonly ipv6Only?: unknown;
  readonly signal?: unknown;
  readonly _handle?: unknown;
}

/** Where a listen() that can be held wants to be. */
export interface Target {
  readonly port: number;
  /** Null is all interfaces; undefined: the app names no host and takes the one that it is given. */
  readonly host: string | null | undefined;
  readonly backlog: number | null;
}

/** Null: it keeps Node's semantics. */
export function targetOf(options: ListenOptions): Target | null {
  const { path, fd, handle, _handle, exclusive, ipv6Only, signal, backlog } = options;
  if (path !== undefined || fd !== undefined || handle !== undefined || _handle !== undefined || !Object.isExtensible(options)) return null;
  if (exclusive === true || ipv6Only === true || (signal !== undefined && !(signal instanceof AbortSignal))) return null;
  const port = Number(options.port);
  if (!Number.isInteger(port) || port <= 0 || port > 65_535) return null;
  const host = hostOf(options.host);
  return host === false ? null : { port, host, backlog: typeof backlog === "number" && backlog > 0 ? backlog : null };
}

/** False: a name, which only Node resolves. */
function hostOf(host: unknown): string | null | undefined | false {
  if (host === undefined || host === null || host === "") return undefined;
  if (host === "::") return null;
  return typeof host === "string" && net.isIP(host) !== 0 ? host : false;
}

/**
 * Whether a socket serves an app by the address that it asks for. One on all interfaces serves all of IPv4 as well, but with IPv6 addresses of its clients.
 * @param held the socket's address; null is all interfaces
 */
export function accepts({ host: asked }: Target, held: string | null, servesIpv4: () => boolean): boolean {
  return asked === undefined || held === asked || (held === null && asked === "0.0.0.0" && servesIpv4());
}

/** Whether a server on the one address leaves no room for another on the same port. */
export function overlaps(target: Target, held: string | null): boolean {
  const { host } = target;
  if (host == null || held === null || host === held) return true;
  return (host === "0.0.0.0" && net.isIPv4(held)) || (held === "0.0.0.0" && net.isIPv4(host));
}

/** What getsockname() would say. */
export function nameOf({ port, host }: Target): object {
  const address = host ?? "::";
  return { address, port, family: net.isIPv6(address) ? "IPv6" : "IPv4" };
}
