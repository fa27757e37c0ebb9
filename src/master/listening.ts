// How the declared ports are listened on: which strategy, and whether this machine and this Node can do it. Runs in the master, at start only.
import type { Config } from "../config/config.ts";
import type { Settings } from "../policy/state.ts";
import type { TcpHandle } from "../sockets/internals.ts";
import { lockPort } from "../sockets/lock.ts";
import { handOverTest, selfTest } from "../sockets/self-test.ts";
import type { AcceptStrategy } from "./acceptor.ts";
import { portConflict } from "./preflight.ts";

export interface Listening {
  /** Null: nothing is held. */
  readonly listening: Settings["listening"];
  /** The master accepts, and hands connections over; null: it does not. */
  readonly accept: AcceptStrategy | null;
  /** How Node's cluster shares what is not held, which is everything where the master can neither hold nor accept. */
  readonly unheld: "shared" | "round-robin";
  readonly warning: string | null;
}

/** What the choice needs to know of this machine and this Node. */
export interface Abilities {
  readonly platform: NodeJS.Platform;
  /** @returns null, or why workers cannot accept from sockets that the master holds */
  selfTest(): Promise<string | null>;
  /** @returns null, or why the master cannot accept and hand over */
  handOverTest(): Promise<string | null>;
}

const HERE: Abilities = { platform: process.platform, selfTest, handOverTest };

export async function chooseListening({ listen, spread }: Config, abilities: Abilities = HERE): Promise<Listening> {
  if (abilities.platform !== "linux") {
    const isSilent = listen === "auto" || listen === "round-robin";
    return nodes(isSilent ? null : `listen ${listen}: only Linux can hold listening sockets; using round-robin`);
  }
  if (listen === "round-robin" || listen === "sticky") return accepting(listen, abilities, null);
  const problem = await abilities.selfTest();
  if (problem !== null) return accepting("round-robin", abilities, unable(problem, "round-robin"));
  switch (listen) {
    case "auto":
    case "paired":
      return held(true, spread);
    case "per-worker":
      return held(true, 1);
    case "shared":
      return held(false, Number.POSITIVE_INFINITY);
    default:
      return listen satisfies never;
  }
}

/** Beside held sockets, what Node itself shares is one socket for all: a worker that dies abruptly has no connection in hand-over. */
function held(perSlot: boolean, spread: number): Listening {
  return { listening: { perSlot, spread }, accept: null, unheld: "shared", warning: null };
}

async function accepting(accept: AcceptStrategy, { handOverTest }: Abilities, warning: string | null): Promise<Listening> {
  const problem = await handOverTest();
  if (problem !== null) return nodes(unable(problem, "node:cluster's round-robin"));
  return { listening: null, accept, unheld: "shared", warning };
}

function nodes(warning: string | null): Listening {
  return { listening: null, accept: null, unheld: "round-robin", warning };
}

function unable(problem: string, instead: string): string {
  return `cannot hold listening sockets on this machine and Node (${problem}); using ${instead}`;
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
