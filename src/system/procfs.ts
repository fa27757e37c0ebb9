// What Linux's /proc says about processes. Runs in the master.
// Its one rule: /proc may be hidden, partial or absent (macOS, Windows, hidepid); that is an empty answer, never a throw.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** A process as it cannot be confused with a later one of the same pid: `startTime` is in clock ticks since boot. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
}

/** USER_HZ: the kernel reports 100 ticks a second to user space on every architecture that Node supports. */
const TICKS_PER_SECOND = 100;

/**
 * The living descendants of `pid` (not `pid` itself), parents before their children, by one pass over every `/proc/<pid>/stat`.
 * Not by the `children` file of each task: kernels without CONFIG_PROC_CHILDREN lack it. Zombies are left out: no signal reaches them.
 * A process whose parent died already is a child of PID 1 (or of a subreaper) and no longer found here.
 * Empty where `/proc` is hidden or absent.
 */
export function descendantsOf(pid: number, root = "/proc"): readonly ProcessIdentity[] {
  return readTree(root)(pid);
}

/** Whose child everybody is, by one pass; gives the descendants of any process as of then. */
export type Tree = (pid: number) => readonly ProcessIdentity[];

export function readTree(root = "/proc"): Tree {
  const childrenOf = new Map<number, ProcessIdentity[]>();
  for (const candidate of pidsIn(root)) {
    const stat = readStat(candidate, root);
    if (stat === null || stat.isGone) continue;
    const siblings = childrenOf.get(stat.parentPid);
    const found = { pid: candidate, startTime: stat.startTime };
    if (siblings === undefined) childrenOf.set(stat.parentPid, [found]);
    else siblings.push(found);
  }
  return (pid) => collect(pid, childrenOf);
}

function collect(pid: number, childrenOf: ReadonlyMap<number, readonly ProcessIdentity[]>): readonly ProcessIdentity[] {
  // A pid reused between two reads could close a circle, so each is visited once.
  const seen = new Set([pid]);
  const found: ProcessIdentity[] = [];
  const queue = [pid];
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    for (const child of childrenOf.get(parent) ?? []) {
      if (seen.has(child.pid)) continue;
      seen.add(child.pid);
      found.push(child);
      queue.push(child.pid);
    }
  }
  return found;
}

/**
 * Is `pid` still the process that started at `startTime`? Ask before each signal: the pid may belong to someone else by now.
 * False for a zombie, and where `/proc` cannot tell.
 */
export function isSameProcess(pid: number, startTime: number, root = "/proc"): boolean {
  const stat = readStat(pid, root);
  return stat !== null && !stat.isGone && stat.startTime === startTime;
}

/** A dead child of `parent` that nobody has waited for; null when it lives, is gone, is another's or is hidden. */
export function zombieOf(pid: number, parent: number, root = "/proc"): ProcessIdentity | null {
  const stat = readStat(pid, root);
  return stat?.isZombie === true && stat.parentPid === parent ? { pid, startTime: stat.startTime } : null;
}

/** Resident memory in bytes, shared pages included; null when the process is gone or hidden. */
export function residentMemoryBytes(pid: number, root = "/proc"): number | null {
  // From `status`, not `statm`: kB needs no page size, and pages are 64 KiB on some arm64 kernels.
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readTextOrNull(join(root, String(pid), "status")) ?? "")?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) * 1024;
}

/** CPU time spent, user and system, in seconds (to 10 ms); null when the process is gone or hidden. */
export function cpuSeconds(pid: number, root = "/proc"): number | null {
  const stat = readStat(pid, root);
  return stat === null ? null : stat.cpuTicks / TICKS_PER_SECOND;
}

let isOwn: boolean | undefined;

/**
 * Whether the numbers in `/proc` stand for processes of another namespace: these must be neither counted nor signalled. Looked at once. Any other `root`
 * is a test's own, and taken as it is.
 */
export function isOthers(root: string): boolean {
  if (root !== "/proc") return false;
  isOwn ??= showsOwnNamespace(process.pid, root);
  return !isOwn;
}

/** The pids that `/proc` shows, in its order (ascending on Linux); none where they are of another namespace. */
export function pidsIn(root = "/proc"): readonly number[] {
  if (isOthers(root)) return [];
  try {
    return readdirSync(root)
      .filter((name) => /^[1-9]\d*$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch {
    return [];
  }
}

/** Whether the numbers in `/proc` are of the namespace of `pid`, this process: after `unshare --pid` without a `/proc` of its own they are of other processes. */
export function showsOwnNamespace(pid: number, root: string): boolean {
  try {
    return readlinkSync(join(root, "self")) === String(pid);
  } catch {
    return false;
  }
}

/** The text of a file of the kernel, or null when it is missing, hidden or unreadable. */
export function readTextOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

export interface Stat {
  /** Of its main thread, a letter: R runs, S sleeps, D waits for a device, T is stopped, t is traced, Z is a zombie. */
  readonly state: string;
  readonly parentPid: number;
  /** The pid of the leader of its session; a daemon has a session of its own. */
  readonly session: number;
  readonly startTime: number;
  readonly cpuTicks: number;
  /** SCHED_OTHER is 0, SCHED_BATCH 3. */
  readonly schedulingPolicy: number;
  /** Zombie or dead: only its entry is left. */
  readonly isGone: boolean;
  readonly isZombie: boolean;
}

/** Null when the process is gone or hidden. */
export function readStat(pid: number, root = "/proc"): Stat | null {
  if (isOthers(root)) return null;
  const text = readTextOrNull(join(root, String(pid), "stat"));
  if (text === null) return null;
  // The command stands in brackets and may itself hold brackets and blanks: only what follows the last ")" is safe to split.
  const fields = text
    .slice(text.lastIndexOf(")") + 1)
    .trim()
    .split(/\s+/);
  // fields[0] is field 3 of proc(5), the state; so field n is fields[n - 3].
  const [state = ""] = fields;
  const stat = {
    state,
    parentPid: Number(fields[4 - 3]),
    session: Number(fields[6 - 3]),
    startTime: Number(fields[22 - 3]),
    cpuTicks: Number(fields[14 - 3]) + Number(fields[15 - 3]),
    schedulingPolicy: Number(fields[41 - 3]),
    isGone: state === "Z" || state === "X",
    isZombie: state === "Z",
  };
  return Number.isInteger(stat.parentPid) && Number.isInteger(stat.startTime) ? stat : null;
}
