// One owner per port. SO_REUSEPORT would let a second service in, and a bound socket that nobody listens on yet stops nobody; so whoever binds a
// port first takes an abstract unix socket named after it, which vanishes with its last holder. Only Linux has such names. Used by the master and,
// for ports that were not declared, by workers, who hand what they took to the master.
import { bindName, type TcpHandle } from "./internals.ts";

export type Lock =
  /** These must be kept: the lock and the mark go with their last copies. */
  | { readonly state: "taken"; readonly handles: readonly TcpHandle[] }
  /** The same service has it. */
  | { readonly state: "shared" }
  /** Another service has it. */
  | { readonly state: "foreign" };

/**
 * Takes the lock of a port for a service, at once. Processes of one service recognise each other by a mark that is taken before the lock, so
 * that there is no moment in which one would take another for a stranger.
 */
export function lockPort(port: number, service: string): Lock {
  const name = `rollcall/port/${port}`;
  const mark = bindName(`${name}/${service}`);
  if (typeof mark === "number") return { state: "shared" };
  const lock = bindName(name);
  if (typeof lock !== "number") return { state: "taken", handles: [mark, lock] };
  mark.close();
  return { state: "foreign" };
}
