// The children of this process that it did not start: orphans that the kernel gave to it because it is PID 1 or a subreaper. Runs in the master.
// Its one rule: a child of our own is never among them, whoever in this process started it.

import type { ChildProcess } from "node:child_process";
import diagnostics from "node:diagnostics_channel";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { type ProcessIdentity, pidsIn, readTextOrNull, showsOwnNamespace, zombieOf } from "./procfs.ts";

const own = new Set<ChildProcess>();
/** Started by threads of this process, each of which waits for its own. */
const ofThreads = new Set<ThreadKin>();
let isWatching = false;

/** From here on every child that this process starts is known. To be called before the first one that may outlive the call. */
export function watchOwnChildren(): void {
  if (isWatching) return;
  isWatching = true;
  diagnostics.subscribe("child_process", (message) => void own.add((message as { process: ChildProcess }).process));
}

/** The pids that libuv waits for. A child whose exit it has seen is not among them: its pid may be an orphan's by now. */
export function ownPids(): ReadonlySet<number> {
  const pids = new Set<number>();
  for (const child of own) {
    if (child.exitCode !== null || child.signalCode !== null) own.delete(child);
    else if (child.pid !== undefined) pids.add(child.pid);
  }
  for (const { pids: theirs } of ofThreads) for (const pid of theirs) pids.add(pid);
  return pids;
}

/** A thread that claims more has its children reaped by whoever comes first. */
const MOST_OF_A_THREAD = 10_000;

/** The processes that one thread has started and waits for, by its own word. When it has ended nobody does: they are strangers from then on. */
export class ThreadKin {
  readonly pids: Set<number> = new Set();

  constructor() {
    ofThreads.add(this);
  }

  note({ kin, isThere }: { readonly kin: number; readonly isThere: boolean }): void {
    if (!isThere) this.pids.delete(kin);
    else if (this.pids.size < MOST_OF_A_THREAD) this.pids.add(kin);
  }

  end(): void {
    ofThreads.delete(this);
  }
}

/**
 * The other children, dead or alive.
 * @returns null where `/proc` is hidden, or shows the processes of another namespace
 */
export function strangersOf(pid: number, ours: ReadonlySet<number>, root = "/proc"): readonly number[] | null {
  if (!showsOwnNamespace(pid, root)) return null;
  const children = listedChildren(root) ?? pidsIn(root);
  return children.filter((child) => child !== pid && !ours.has(child));
}

/** A stranger that is dead and not waited for. */
export function deadStranger(pid: number, parent: number, root = "/proc"): ProcessIdentity | null {
  return zombieOf(pid, parent, root);
}

/** By the kernel's own list, which spares a look at every process of a large machine; null for a kernel without CONFIG_PROC_CHILDREN. */
function listedChildren(root: string): readonly number[] | null {
  const tasks = join(root, "self", "task");
  const children: number[] = [];
  try {
    for (const task of readdirSync(tasks)) {
      const text = readTextOrNull(join(tasks, task, "children"));
      if (text !== null) for (const pid of text.split(" ")) if (pid !== "") children.push(Number(pid));
      // A thread may have ended meanwhile; the first one does not.
      if (text === null && task === readlinkSync(join(root, "self"))) return null;
    }
    return children;
  } catch {
    return null;
  }
}
