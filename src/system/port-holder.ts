// Who listens on a TCP port, to name the culprit in a port conflict. Runs in the master.
// Its one rule: a best effort for an error message; whatever it may not see is null, never a throw.

import { readdirSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { pidsIn, readTextOrNull } from "./procfs.ts";

export interface PortHolder {
  readonly pid: number;
  /** Name of the executable, such as "node" or "nginx". */
  readonly command: string;
}

/** The state of a listening socket in /proc/net/tcp. */
const LISTEN = "0A";

/**
 * The process that listens on `port` (TCP, IPv4 or IPv6, any address) in our network namespace. Of several that share
 * the socket, the one with the lowest pid: the master, not a worker.
 * Null when nobody listens, when the holder lives in another pid namespace or belongs to another user, and outside Linux.
 */
export function holderOf(port: number, root = "/proc"): PortHolder | null {
  const sockets = new Set([...listenersIn(join(root, "net/tcp"), port), ...listenersIn(join(root, "net/tcp6"), port)]);
  if (sockets.size === 0) return null;
  for (const pid of pidsIn(root)) {
    if (holdsAny(join(root, String(pid), "fd"), sockets)) return { pid, command: commandOf(pid, root) };
  }
  return null;
}

/** The listening sockets of `port` as the links of a descriptor name them: "socket:[inode]". */
function listenersIn(table: string, port: number): readonly string[] {
  const found: string[] = [];
  for (const line of (readTextOrNull(table) ?? "").split("\n").slice(1)) {
    // sl local_address rem_address st tx:rx tr:tm->when retrnsmt uid timeout inode
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    const localPort = Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16);
    if (state === LISTEN && localPort === port && inode !== undefined) found.push(`socket:[${inode}]`);
  }
  return found;
}

function holdsAny(folder: string, sockets: ReadonlySet<string>): boolean {
  let descriptors: readonly string[];
  try {
    descriptors = readdirSync(folder);
  } catch {
    return false; // gone, or another user's
  }
  return descriptors.some((descriptor) => {
    const target = linkTargetOf(join(folder, descriptor));
    return target !== null && sockets.has(target);
  });
}

/** From the executable rather than `comm`, which Node 24 and later set to the thread's name, "node-MainThread". */
function commandOf(pid: number, root: string): string {
  const executable = linkTargetOf(join(root, String(pid), "exe"))?.replace(/ \(deleted\)$/, "");
  const comm = readTextOrNull(join(root, String(pid), "comm"))?.trim();
  const command = executable !== undefined ? basename(executable) : (comm ?? "");
  return command === "" ? "unknown" : command;
}

function linkTargetOf(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch {
    return null;
  }
}
