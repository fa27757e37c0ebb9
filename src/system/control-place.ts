// Where control sockets lie, and who is behind one: the same knowledge for the master, which opens one, and the commands, which look for it.
import { lstatSync, readdirSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning } from "./running.ts";

/** What the kernel takes as the path of a unix socket, without its final zero. */
export const LONGEST_PATH: number = process.platform === "linux" ? 107 : 103;

/** The folders of sockets without a path of their own, the best first. */
export function controlFolders(env: NodeJS.ProcessEnv): readonly string[] {
  const { XDG_RUNTIME_DIR: runtime } = env;
  return [...new Set([...(runtime === undefined || runtime === "" ? [] : [runtime]), tmpdir()])];
}

export function controlName(pid: number): string {
  return `rollcall-${pid}.sock`;
}

export interface ListedSocket {
  readonly path: string;
  readonly uid: number;
  /** This user's; for root everybody's. Another user's could not be commanded, and might only pretend to be a service's. */
  readonly isTrusted: boolean;
}

/** The sockets of a folder that are named like a service's, whether alive or not. */
export function listSockets(folder: string): readonly ListedSocket[] {
  const own = process.getuid?.() ?? 0;
  const names = attempt(() => readdirSync(folder)) ?? [];
  return names
    .filter((name) => /^rollcall-\d+\.sock$/.test(name))
    .flatMap((name) => {
      const path = join(folder, name);
      const stat = attempt(() => lstatSync(path));
      return stat?.isSocket() === true ? [{ path, uid: stat.uid, isTrusted: own === 0 || stat.uid === own }] : [];
    });
}

export type Liveness =
  | "live"
  /** Nobody listens any more. */
  | "stale"
  | "absent"
  /** It is there and cannot be reached: not this user's, or no socket. */
  | "unreachable";

/** Asks by connecting. Twice where nobody listens: a socket that is being opened has its name a moment before it listens. */
export async function probeSocket(path: string): Promise<Liveness> {
  const first = await knock(path);
  if (first !== "stale") return first;
  await new Promise((resolve) => setTimeout(resolve, 50));
  return knock(path);
}

/** Removes a socket that nobody listens on, if it is of a process that is gone; quietly leaves it where it may not. */
export function removeStale(path: string): void {
  const pid = Number(/rollcall-(\d+)\.sock$/.exec(path)?.[1]);
  if (Number.isInteger(pid) && !isRunning(pid)) attempt(() => rmSync(path));
}

/** False also where it cannot be told. */
export function isAbsent(path: string): boolean {
  return attempt(() => statSync(path, { throwIfNoEntry: false }) === undefined) ?? false;
}

function knock(path: string): Promise<Liveness> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve("live");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return resolve("absent");
      // A live one whose queue is full for the moment.
      if (error.code === "EAGAIN") return resolve("live");
      const isSocket = attempt(() => lstatSync(path))?.isSocket() === true;
      resolve(error.code === "ECONNREFUSED" && isSocket ? "stale" : "unreachable");
    });
  });
}

function attempt<T>(ask: () => T): T | null {
  try {
    return ask();
  } catch {
    return null;
  }
}
