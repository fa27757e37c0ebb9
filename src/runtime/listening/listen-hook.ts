// The way into the app's listen(): another handle in the place of the one that Node would make, and a socket of this worker's own for a port that nobody
// declared. Runs in a worker.
import diagnostics from "node:diagnostics_channel";
import { addAbortListener } from "node:events";
import type { Server } from "node:net";
import { HandleGroup } from "../../sockets/handle-group.ts";
import { bindHandle, handIn, type TcpHandle } from "../../sockets/internals.ts";
import { lockPort } from "../../sockets/lock.ts";
import { type ListenOptions, type Target, targetOf } from "./listen-target.ts";

/** Linux's EADDRINUSE, as libuv gives it. */
export const ADDRESS_IN_USE = -98;

/** A socket that this worker has bound, with its part of the port's lock. */
export interface Own {
  readonly handle: TcpHandle;
  readonly locks: readonly TcpHandle[];
}

type ListenError = NodeJS.ErrnoException & { address?: unknown; port?: unknown };

/** Asks at every listen() of a port what it is to listen with; null leaves it to Node. */
export function hookListens(choose: (server: Server, target: Target) => HandleGroup | null): void {
  const targets: WeakMap<Server, Target> = new WeakMap();
  diagnostics.subscribe("tracing:net.server.listen:asyncStart", (message) => {
    const { server, options } = message as { server: Server; options: ListenOptions };
    const target = targetOf(options);
    const group = target === null ? null : choose(server, target);
    if (target === null || group === null) return;
    targets.set(server, target);
    handIn(options, group);
    // With a handle, Node looks at no signal.
    if (options.signal instanceof AbortSignal) closeOnAbort(server, options.signal);
  });
  diagnostics.subscribe("tracing:net.server.listen:error", (message) => {
    const { server, error } = message as { server: Server; error: ListenError };
    const target = targets.get(server);
    if (target !== undefined) nameTarget(error, target);
  });
}

/** In the place of handles that there are not: listen() fails with EADDRINUSE. */
export function refusing(): HandleGroup {
  return new HandleGroup({ refusal: ADDRESS_IN_USE });
}

/** A socket of this worker's own, beside those of its siblings. Null leaves the listen, and its error, to Node. */
export function bindOwn(port: number, host: string | null, service: string | null): Own | "taken" | null {
  const lock = lockPort(port, service ?? "");
  if (lock.state === "foreign") return "taken";
  const locks = lock.state === "taken" ? lock.handles : [];
  const handle = bindHandle(host, port);
  if (typeof handle !== "number") return { handle, locks };
  for (const each of locks) each.close();
  return handle === ADDRESS_IN_USE ? "taken" : null;
}

/** An error of a handle that was handed in names no address. */
function nameTarget(error: ListenError, target: Target): void {
  if (error.address != null) return;
  error.address = target.host ?? "::";
  error.port = target.port;
  error.message += ` ${error.address}:${target.port}`;
}

function closeOnAbort(server: Server, signal: AbortSignal): void {
  if (signal.aborted) return void process.nextTick(() => server.close());
  const watch = addAbortListener(signal, () => void server.close());
  server.once("close", () => watch[Symbol.dispose]());
}
