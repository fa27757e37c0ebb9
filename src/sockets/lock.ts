// One owner per port. SO_REUSEPORT would let a second service in, and a bound socket that nobody listens on yet stops nobody; so whoever binds a
// port first takes an abstract unix socket named after it, which vanishes with its last holder. Only Linux has such names. Used by the master and,
// for ports that were not declared, by workers, who hand what they took to the master.
import { readFileSync } from "node:fs";
import { bindName, type TcpHandle } from "./internals.ts";

export type Lock =
  /** These must be kept: the lock and the marks go with their last copies. */
  | { readonly state: "taken"; readonly handles: readonly TcpHandle[] }
  /** The same service has it. */
  | { readonly state: "shared" }
  /** Another service has it. */
  | { readonly state: "foreign" };

/** Linux's EADDRINUSE, as libuv gives it. */
const ADDRESS_IN_USE = -98;
/** How long a sibling may stand between two statements. It takes microseconds, unless it is stopped. */
const SIBLING_MS = 2_000;
const LOOK_EVERY_MS = 1;

/**
 * Takes the lock of a port for a service, at once. One process of a service tries at a time: the first mark says that one tries or has tried with
 * success, the second one, taken after the lock, which of the two. Without it, a sibling of one that is about to fail would take the port for its own.
 */
export function lockPort(port: number, service: string): Lock {
  const name = `rollcall/port/${port}`;
  const endsAt = performance.now() + SIBLING_MS;
  for (;;) {
    const trying = bindName(`${name}/${service}`);
    if (typeof trying !== "number") return tryLock(name, service, trying);
    // Where such names are forbidden nobody is kept out; better than to keep out oneself.
    if (trying !== ADDRESS_IN_USE) return { state: "taken", handles: [] };
    if (isBound(`${name}/${service}/owner`)) return { state: "shared" };
    if (performance.now() > endsAt) return { state: "foreign" };
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_EVERY_MS);
  }
}

function tryLock(name: string, service: string, trying: TcpHandle): Lock {
  const lock = bindName(name);
  const owner = typeof lock === "number" ? lock : bindName(`${name}/${service}/owner`);
  if (typeof lock !== "number" && typeof owner !== "number") return { state: "taken", handles: [trying, lock, owner] };
  trying.close();
  if (typeof lock !== "number") lock.close();
  return { state: "foreign" };
}

/** To look is not to touch: a bind that only tests would look like an owner to others. Where nobody can look, the mark alone has to do. */
function isBound(name: string): boolean {
  try {
    return readFileSync("/proc/net/unix", "latin1").includes(` @${name}\n`);
  } catch {
    return true;
  }
}
