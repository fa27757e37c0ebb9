// How a child is started: Node flags, environment, arguments; the same for a process and for a thread but for what only a process can have.
// Runs in the master.
import type { Config } from "../config/config.ts";
import type { Assignment, HttpsFiles } from "../messenger/wire.ts";
import { ownFile } from "../package/own-file.ts";
import type { QueueSocket } from "../sockets/held.ts";
import type { IsInherited } from "../system/inherited.ts";
import { LIFE_MARK } from "../system/kin.ts";
import { POST_FD } from "./post-pipe.ts";

/** Inherited descriptors are contiguous from here on: above a hole they would arrive without close-on-exec. */
const FIRST_FD = 5;

/** The first thing that a child runs. */
const PRELOAD: string = ownFile("runtime/preload", ".cjs");

/** A worker's heartbeats come at least this often; a short heartbeat-timeout makes them come more often. */
const HEARTBEAT_MS = 1_000;

export interface LaunchPlan {
  readonly config: Config;
  /** Flags that fit each child's heap to its share of the memory. */
  readonly heapFlags: readonly string[];
  /** Names this service to its own workers; null when no socket is held. */
  readonly service: string | null;
  /** The master accepts, and hands connections over. */
  readonly handsOver: boolean;
  /** How Node's cluster shares what is not held. */
  readonly unheld: "shared" | "round-robin";
  readonly isInherited: IsInherited;
}

export interface Place {
  readonly role: "agent" | "worker";
  readonly slot: number;
  readonly generation: number;
}

export interface Launch {
  readonly entry: string;
  readonly args: string[];
  readonly execArgv: string[];
  readonly env: NodeJS.ProcessEnv;
}

/** @param mark by which what the child starts itself is found */
export function launchOf(plan: LaunchPlan, place: Place, sockets: readonly QueueSocket[], mark: string): Launch {
  const { config } = plan;
  return {
    entry: place.role === "agent" ? (config.agent as string) : config.app,
    args: [...config.appArgs],
    execArgv: nodeFlags(plan, place),
    env: { ...childEnvironment(plan, place, sockets), [LIFE_MARK]: mark },
  };
}

/** Whether the child is to be a thread of the master's. */
export function isThread({ config }: LaunchPlan, { role }: Place): boolean {
  return role === "agent" && config.agentMode === "thread";
}

function nodeFlags(plan: LaunchPlan, place: Place): string[] {
  const { config, heapFlags } = plan;
  const name = place.role === "agent" ? "agent" : `worker ${place.slot}`;
  return [
    // Both are a whole process's: a thread's heap has its limit by another way.
    ...(config.title === null || isThread(plan, place) ? [] : [`--title=${config.title}: ${name}`]),
    ...(isThread(plan, place) ? [] : heapFlags),
    ...config.nodeArgs,
    "--require",
    PRELOAD,
    ...config.requires.flatMap((name) => ["--require", name]),
    ...config.imports.flatMap((name) => ["--import", name]),
  ];
}

function childEnvironment(plan: LaunchPlan, place: Place, sockets: readonly QueueSocket[]): NodeJS.ProcessEnv {
  const { config, service, handsOver } = plan;
  const [port] = config.ports;
  const assignment: Assignment = {
    role: place.role,
    thread: isThread(plan, place),
    slot: place.slot,
    generation: place.generation,
    readyWhen: config.readyWhen,
    ports: place.role === "worker" ? config.ports : [],
    serve: { when: place.role === "worker" ? config.serve : "never", host: config.host, https: httpsOf(config) },
    debugPort: config.debugPort === null ? null : config.debugPort + (place.role === "agent" ? 0 : place.slot + 1),
    post: POST_FD,
    heartbeatMs: Math.min(HEARTBEAT_MS, config.heartbeatTimeoutMs / 4),
    stopTimeoutMs: config.stopTimeoutMs,
    drainIdleMs: config.drainIdleMs,
    keepsDaemons: config.keepDescendants,
    service: place.role === "worker" ? service : null,
    handOver: place.role === "worker" && handsOver ? { host: config.host } : null,
    held: sockets.map(({ handle: _, ...socket }, index) => ({ ...socket, fd: FIRST_FD + index })),
    survivesUncaught: config.agentUncaught === "survive",
  };
  return {
    ...process.env,
    ...(port === undefined ? {} : { PORT: String(port) }),
    ...config.env,
    ROLLCALL_ROLE: place.role,
    ROLLCALL_SLOT: String(place.slot),
    ROLLCALL_CHILD: JSON.stringify(assignment),
  };
}

/** Read by each worker for itself: a reload takes up files that were renewed. */
export function httpsOf({ httpsKey: key, httpsCert: cert, httpsCa: ca, httpsPassphrase: passphrase }: Config): HttpsFiles | null {
  return key === null || cert === null ? null : { key, cert, ca, passphrase };
}
