// Who listens, as the kernel knows it: the listening TCP sockets of a port, and the processes that have each of them open.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface Listener {
  readonly inode: string;
  readonly family: 4 | 6;
  /** In the kernel's notation; all zeros is any address. */
  readonly address: string;
  /** Bytes that wait to be read; of a listening socket, connections. */
  readonly unread: number;
}

const ESTABLISHED = "01";
const CLOSE_WAIT = "08";
const LISTEN = "0A";

export function listenersOf(port: number): readonly Listener[] {
  return socketsOn(port, LISTEN);
}

/** How many accepted connections of a port a process has open. */
export function connectionsOf(pid: number, port: number): number {
  const open = socketsOf(pid);
  return [...socketsOn(port, ESTABLISHED), ...socketsOn(port, CLOSE_WAIT)].filter(({ inode }) => open.has(inode)).length;
}

/** How many bytes wait to be read on the accepted connections of a port. */
export function unreadOn(port: number): number {
  return socketsOn(port, ESTABLISHED).reduce((sum, { unread }) => sum + unread, 0);
}

function socketsOn(port: number, wantedState: string): readonly Listener[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const of = (file: string, family: 4 | 6): readonly Listener[] =>
    read(file).flatMap((line) => {
      const [, local = "", , state, queues = "", , , , , inode = ""] = line.trim().split(/\s+/);
      const [address = "", hexPort] = local.split(":");
      return state === wantedState && hexPort === wanted
        ? [{ inode, family, address, unread: Number.parseInt(queues.split(":")[1] ?? "0", 16) }]
        : [];
    });
  return [...of("/proc/net/tcp", 4), ...of("/proc/net/tcp6", 6)];
}

/** The inodes of all sockets that a process has open. */
export function socketsOf(pid: number): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const fd of fdsOf(pid)) {
    const inode = /^socket:\[(\d+)\]$/.exec(fd.target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

export interface Fd {
  readonly fd: number;
  readonly target: string;
  readonly closesOnExec: boolean;
}

export function fdsOf(pid: number): readonly Fd[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${name}`, "latin1"))?.[1] ?? "0";
        const closesOnExec = (Number.parseInt(flags, 8) & 0o2000000) !== 0;
        return [{ fd: Number(name), target: readlinkSync(`/proc/${pid}/fd/${name}`), closesOnExec }];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

function read(file: string): readonly string[] {
  try {
    return readFileSync(file, "latin1").split("\n").slice(1);
  } catch {
    return [];
  }
}
