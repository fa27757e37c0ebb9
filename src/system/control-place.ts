// Where control sockets lie, and who is behind one: the same knowledge for the master, which opens one, and the commands, which look for it.
import { lstatSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

/**
 * The sockets of this user's services, whether alive or not; root sees everybody's. Another user's is left out: it could not be commanded, and
 * might only pretend to be a service.
 */
export function listSockets(folder: string): readonly string[] {
  const uid = process.getuid?.() ?? 0;
  const names = attempt(() => readdirSync(folder)) ?? [];
  return names
    .filter((name) => /^rollcall-\d+\.sock$/.test(name))
    .map((name) => join(folder, name))
    .filter((path) => {
      const stat = attempt(() => lstatSync(path));
      return stat?.isSocket() === true && (uid === 0 || stat.uid === uid);
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

/** Says which file a path is now; null without one. */
export function identify(path: string): string | null {
  const stat = attempt(() => lstatSync(path));
  return stat === null ? null : `${stat.dev}:${stat.ino}`;
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

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function attempt<T>(ask: () => T): T | null {
  try {
    return ask();
  } catch {
    return null;
  }
}
