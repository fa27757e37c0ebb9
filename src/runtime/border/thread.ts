// Makes a thread of the master's look like a child process to everything that runs in it: process.send and its relatives over a port, and a process.kill
// that means the thread and not the master. Its one rule: before the app's first line. Runs in the agent, where that is a thread.
import type { ChildProcess } from "node:child_process";
import diagnostics from "node:diagnostics_channel";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { type KinNews, PortStream, type ThreadPorts } from "../../messenger/port-stream.ts";
import type { Assignment } from "../../messenger/wire.ts";

/** What ends no process that does not listen to it. */
const HARMLESS: ReadonlySet<string> = new Set(["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGUSR1"]);
const READ_BYTES: number = 64 * 1024;

/** The pipe for letters, as it is here. */
export type OpenPost = (onBytes: (bytes: Buffer) => void) => Duplex & { unref(): unknown };

/** @returns null in a process that has no channel to a master */
export function openBorder({ thread, post }: Assignment): OpenPost | null {
  if (thread) return becomeChild();
  return process.send === undefined ? null : (onBytes) => openPipe(post, onBytes);
}

function openPipe(fd: number, onBytes: (bytes: Buffer) => void): Socket {
  // Into the same memory again and again: a buffer for each read would be collected at a price.
  const callback = (size: number, bytes: Uint8Array): boolean => {
    onBytes(Buffer.from(bytes.buffer, bytes.byteOffset, size));
    return true;
  };
  return new Socket({ fd, readable: true, writable: true, onread: { buffer: Buffer.allocUnsafeSlow(READ_BYTES), callback } });
}

function becomeChild(): OpenPost | null {
  const threads = process.getBuiltinModule("node:worker_threads");
  const { isMainThread, workerData } = threads;
  if (isMainThread || workerData === null) return null;
  const { channel, post } = workerData as ThreadPorts;
  // Not the app's business.
  (threads as { workerData: unknown }).workerData = null;
  syncBuiltinESMExports();
  let isConnected = true;
  channel.on("message", (text: string) => process.emit("message", JSON.parse(text) as object, undefined as never));
  channel.once("close", () => {
    isConnected = false;
    process.emit("disconnect");
  });
  diagnostics.subscribe("child_process", (message) => tellOf((message as { process: ChildProcess }).process));
  // Libraries that know of threads, Egg's among them, speak to the master by this.
  Object.assign(threads.parentPort as object, { postMessage: (message: unknown) => void process.send?.(message) });
  const members = {
    send: { value: send, writable: true },
    connected: { get: () => isConnected },
    disconnect: { value: () => channel.close(), writable: true },
    channel: { value: { ref: () => channel.ref(), unref: () => channel.unref() } },
    kill: { value: kill, writable: true },
  };
  for (const [name, member] of Object.entries(members))
    Object.defineProperty(process, name, { ...member, configurable: true, enumerable: true });
  return (onBytes) => new PortStream(post).on("data", onBytes);

  /** At the moment of this message it has no pid yet. */
  function tellOf(child: ChildProcess): void {
    queueMicrotask(() => {
      if (child.pid === undefined || !isConnected) return;
      const news = (isThere: boolean): string => JSON.stringify({ kin: child.pid as number, isThere } satisfies KinNews);
      channel.postMessage(news(child.exitCode === null && child.signalCode === null));
      child.once("exit", () => isConnected && channel.postMessage(news(false)));
    });
  }

  function send(message: unknown, ...rest: readonly unknown[]): boolean {
    const done = rest.find((each) => typeof each === "function") as ((error: Error | null) => void) | undefined;
    const [handle] = rest;
    if (typeof handle === "object" && handle !== null) throw noHandles();
    if (isConnected) channel.postMessage(JSON.stringify(message));
    if (done !== undefined) process.nextTick(done, null);
    return isConnected;
  }
}

/** Sockets and servers have a descriptor in one event loop, and Node hands none to another thread's. */
export function noHandles(): TypeError {
  return new TypeError(
    "expected a message without a socket or a server: an agent in a thread can send none and gets none (agent-mode thread)",
  );
}

const killOther = process.kill.bind(process);

/** The pid is the master's. A signal to it from here means this thread, as it would mean this process: who listens hears it, else it ends. */
function kill(pid: number, signal: string | number = "SIGTERM"): true {
  const found = Object.entries(constants.signals).find(([name, number]) => name === signal || number === signal);
  if (pid !== process.pid || found === undefined) return killOther(pid, signal);
  const [name, number] = found;
  if (process.listenerCount(name) > 0) (process as NodeJS.EventEmitter).emit(name, name, number);
  else if (!HARMLESS.has(name)) process.exit(128 + number);
  return true;
}
