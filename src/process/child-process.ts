// A child in a process of its own: the agent by child_process.fork, workers by cluster.fork. Runs in the master.
import { type ChildProcess, fork } from "node:child_process";
import cluster from "node:cluster";
import { HANDLE_MISSED } from "../messenger/node-words.ts";
import type { Turnstile } from "../messenger/turnstile.ts";
import type { QueueSocket } from "../sockets/held.ts";
import { isHandleInFlight } from "../sockets/internals.ts";
import { preferForOom } from "../system/oom-score.ts";
import { cutOff, readChannel } from "./child-channel.ts";
import { guardDescriptors } from "./descriptor-guard.ts";
import { afterLastWords, LAST_WORDS_MS } from "./last-words.ts";
import { type LaunchPlan, launchOf, type Place } from "./launch.ts";
import { postPipe } from "./post-pipe.ts";
import type { Vessel, VesselListener } from "./vessel.ts";

export interface Birth {
  readonly plan: LaunchPlan;
  readonly place: Place;
  readonly sockets: readonly QueueSocket[];
  /** By which what it starts itself is found. */
  readonly mark: string;
  readonly turnstile: Turnstile;
}

/** @throws what the system says when no process can be made at once; a later failure arrives as trouble, and then as its exit */
export function startProcess(birth: Birth, listener: VesselListener): Vessel {
  const child = spawnChild(birth);
  const refuse = (fd: number): void =>
    listener.onComplaint(`listens on descriptor ${fd}; expected one of a socket that the service was started with: it fails with EINVAL`);
  const filter = (message: object): object => guardDescriptors(message, birth.plan.isInherited, refuse);
  const { takes } = readChannel(child, birth.turnstile, { ...listener, filter });
  child.on("internalMessage", (raw: { readonly cmd?: unknown } | null) => raw?.cmd === HANDLE_MISSED && listener.onMissed());
  child.on("error", (error) => {
    if (child.pid !== undefined) return listener.onTrouble(error);
    listener.onUnstarted(error);
    listener.onExit(null, null);
  });
  let isOver = false;
  // One that has ended is heard of in a moment, or, where this process stood still meanwhile, in the next turn of its loop.
  child.once("disconnect", () => setTimeout(() => setImmediate(() => !isOver && listener.onLost()), LAST_WORDS_MS).unref());
  child.once("exit", (code, signal) => {
    isOver = true;
    listener.onEnd();
    afterLastWords(child, () => listener.onExit(code, signal));
  });
  const post = postPipe(child);
  if (child.pid !== undefined) preferForOom(child.pid);
  return {
    ...{ thread: null, post, takesHandles: true, takes },
    get pid() {
      return child.pid;
    },
    get isConnected() {
      return child.connected;
    },
    hasHandleInFlight: () => isHandleInFlight(child),
    send: (message, handle, done) => void child.send(message, handle as never, done),
    disconnect: () => cutOff(child),
    // From its first statement on TERM means nothing to it.
    endUnborn: () => void child.kill("SIGTERM"),
    kill() {
      // A process that never came to be has no exit to wait for.
      if (child.pid === undefined) setImmediate(() => listener.onExit(null, null));
      else kill(child.pid);
    },
  };
}

function spawnChild({ plan, place, sockets, mark }: Birth): ChildProcess {
  const { entry, args, execArgv, env } = launchOf(plan, place, sockets, mark);
  const { cwd } = plan.config;
  if (place.role === "agent") return fork(entry, args, { execArgv, env, cwd, stdio: ["inherit", "inherit", "inherit", "ipc", "pipe"] });
  cluster.schedulingPolicy = plan.unheld === "shared" ? cluster.SCHED_NONE : cluster.SCHED_RR;
  const stdio = ["inherit", "inherit", "inherit", "ipc", "pipe", ...sockets.map(({ handle }) => handle.fd)] as const;
  cluster.setupPrimary({ exec: entry, args, execArgv, cwd, stdio: [...stdio] });
  const worker = cluster.fork(env);
  // Cluster repeats the process's errors on the worker, where nobody listening would make them the master's own.
  worker.on("error", () => {});
  return worker.process;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
