// How the declared ports are listened on: which strategy, and whether this machine and this Node can do it. Runs in the master, at start only.
import type { Config, ListenStrategy } from "../config/config.ts";
import type { Settings } from "../policy/state.ts";
import type { TcpHandle } from "../sockets/internals.ts";
import { lockPort } from "../sockets/lock.ts";
import { handOverTest, selfTest } from "../sockets/self-test.ts";
import { portConflict } from "./preflight.ts";

export interface Listening {
  /** Null: nothing is held. */
  readonly listening: Settings["listening"];
  /** The master accepts, and hands connections over. */
  readonly sticky: boolean;
  /** How Node's cluster shares what is not held. */
  readonly unheld: "shared" | "round-robin";
  readonly warning: string | null;
}

/** What the choice needs to know of this machine and this Node. */
export interface Abilities {
  readonly platform: NodeJS.Platform;
  /** @returns null, or why sockets cannot be held, or, with `sticky`, connections not be handed over */
  selfTest(listen: ListenStrategy): Promise<string | null>;
}

const HERE: Abilities = { platform: process.platform, selfTest: (listen) => (listen === "sticky" ? handOverTest() : selfTest()) };

export async function chooseListening({ listen, spread }: Config, { platform, selfTest }: Abilities = HERE): Promise<Listening> {
  if (listen === "round-robin") return roundRobin(null);
  if (platform !== "linux") {
    return roundRobin(listen === "auto" ? null : `listen ${listen}: only Linux can hold listening sockets; using round-robin`);
  }
  const problem = await selfTest(listen);
  if (problem !== null) return roundRobin(`cannot hold listening sockets on this machine and Node (${problem}); using round-robin`);
  switch (listen) {
    case "auto":
    case "paired":
      return held(true, spread);
    case "per-worker":
      return held(true, 1);
    case "shared":
      return held(false, Number.POSITIVE_INFINITY);
    case "sticky":
      return { listening: null, sticky: true, unheld: "shared", warning: null };
    default:
      return listen satisfies never;
  }
}

/** Beside held sockets, what Node itself shares is one socket for all: a worker that dies abruptly has no connection in hand-over. */
function held(perSlot: boolean, spread: number): Listening {
  return { listening: { perSlot, spread }, sticky: false, unheld: "shared", warning: null };
}

function roundRobin(warning: string | null): Listening {
  return { listening: null, sticky: false, unheld: "round-robin", warning };
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
