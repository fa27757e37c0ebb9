// How the declared ports are listened on: which strategy, and whether this machine and this Node can do it. Runs in the master, at start only.
import type { Config } from "../config/config.ts";
import type { Settings } from "../policy/state.ts";
import type { TcpHandle } from "../sockets/internals.ts";
import { lockPort } from "../sockets/lock.ts";
import { repairRoundRobin } from "../sockets/repair.ts";
import { selfTest } from "../sockets/self-test.ts";
import { portConflict } from "./preflight.ts";

export interface Listening {
  /** Null: nothing is held, workers listen as Node's cluster has it. */
  readonly listening: Settings["listening"];
  readonly warning: string | null;
}

export async function chooseListening({ listen, spread }: Config): Promise<Listening> {
  // Node's own sharing of one socket, until held sockets have proven themselves for longer.
  if (listen === "auto") return { listening: null, warning: null };
  if (listen === "round-robin") {
    repairRoundRobin();
    return { listening: null, warning: null };
  }
  if (process.platform !== "linux") return { listening: null, warning: `listen ${listen}: only Linux has it; using Node's own way` };
  const problem = await selfTest();
  if (problem !== null)
    return { listening: null, warning: `cannot hold listening sockets on this Node (${problem}); using Node's own way` };
  switch (listen) {
    case "paired":
      return { listening: { perSlot: true, spread }, warning: null };
    case "per-worker":
      return { listening: { perSlot: true, spread: 1 }, warning: null };
    case "shared":
      return { listening: { perSlot: false, spread: Number.POSITIVE_INFINITY }, warning: null };
    default:
      return listen satisfies never;
  }
}

/**
 * Locks the declared ports against another Rollcall.
 * @returns what must be kept for as long as the lock is to hold
 * @throws ClusterError ERR_PORT_CONFLICT (exit 7)
 */
export function takePorts({ ports }: Config, service: string): readonly TcpHandle[] {
  if (process.platform !== "linux") return [];
  return ports.flatMap((port) => {
    if (port === 0) return [];
    const lock = lockPort(port, service);
    if (lock.state !== "taken") throw portConflict(port, "the app", "--port");
    return lock.handles;
  });
}
