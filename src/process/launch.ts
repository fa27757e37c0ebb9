// How a child is started: Node flags, environment, arguments. The agent by child_process.fork, workers by cluster.fork. Runs in the master.
import { type ChildProcess, fork } from "node:child_process";
import cluster from "node:cluster";
import type { Config } from "../config/config.ts";
import type { Assignment, HttpsFiles } from "../messenger/wire.ts";
import { ownFile } from "../package/own-file.ts";
import type { QueueSocket } from "../sockets/held.ts";
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
  readonly sticky: boolean;
  /** How Node's cluster shares what is not held. */
  readonly unheld: "shared" | "round-robin";
}

export interface Place {
  readonly role: "agent" | "worker";
  readonly slot: number;
  readonly generation: number;
}

/**
 * Starts one child.
 * @param mark by which what it starts itself is found
 * @throws what the system says when no process can be made at once; a later failure arrives as the child's "error" event
 */
export function launch(plan: LaunchPlan, place: Place, sockets: readonly QueueSocket[], mark: string): ChildProcess {
  const { config } = plan;
  const entry = place.role === "agent" ? (config.agent as string) : config.app;
  const execArgv = nodeFlags(plan, place);
  const env = { ...childEnvironment(plan, place, sockets), [LIFE_MARK]: mark };
  if (place.role === "agent") {
    const stdio = ["inherit", "inherit", "inherit", "ipc", "pipe"] as const;
    return fork(entry, [...config.appArgs], { execArgv, env, cwd: config.cwd, stdio: [...stdio] });
  }
  cluster.schedulingPolicy = plan.unheld === "shared" ? cluster.SCHED_NONE : cluster.SCHED_RR;
  cluster.setupPrimary({
    exec: entry,
    args: [...config.appArgs],
    execArgv,
    cwd: config.cwd,
    stdio: ["inherit", "inherit", "inherit", "ipc", "pipe", ...sockets.map(({ handle }) => handle.fd)],
  });
  const worker = cluster.fork(env);
  // Cluster repeats the process's errors on the worker, where nobody listening would make them the master's own.
  worker.on("error", () => {});
  return worker.process;
}

function nodeFlags({ config, heapFlags }: LaunchPlan, place: Place): string[] {
  const name = place.role === "agent" ? "agent" : `worker ${place.slot}`;
  return [
    ...(config.title === null ? [] : [`--title=${config.title}: ${name}`]),
    ...heapFlags,
    ...config.nodeArgs,
    "--require",
    PRELOAD,
    ...config.requires.flatMap((name) => ["--require", name]),
    ...config.imports.flatMap((name) => ["--import", name]),
  ];
}

function childEnvironment({ config, service, sticky }: LaunchPlan, place: Place, sockets: readonly QueueSocket[]): NodeJS.ProcessEnv {
  const [port] = config.ports;
  const assignment: Assignment = {
    role: place.role,
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
    sticky: place.role === "worker" && sticky ? { host: config.host } : null,
    held: sockets.map(({ queue, port, host, isBusy }, index) => ({ queue, port, host, isBusy, fd: FIRST_FD + index })),
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
