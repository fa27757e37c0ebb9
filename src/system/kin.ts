// Finds processes by a mark in the environment that they were started with: it stays on whoever inherits it, whoever their parent is by now.
// One pass over /proc, in small steps, so that the master can answer between them. Runs in the master, and in a child that has lost it.
import { join } from "node:path";
import { isSameProcess, type ProcessIdentity, pidsIn, readStat, readTextOrNull } from "./procfs.ts";

/** The variable that marks a child, and with it everything that inherits its environment. */
export const LIFE_MARK = "ROLLCALL_LIFE";

/** A marked process, or one that descends from one. */
export interface Kin {
  readonly pid: number;
  /** In clock ticks since boot: tells it from a later process of the same pid. */
  readonly startTime: number;
  readonly session: number;
  /** The value of the mark. */
  readonly mark: string;
}

/** How long a pass may hold up everything else. */
const TURN_MS = 5;

/** All at once: for the way out of the process. */
export function findKinNow(name: string, isWanted: (mark: string) => boolean, root = "/proc"): readonly Kin[] {
  const pass = look(name, isWanted, root);
  for (;;) {
    const { done, value } = pass.next();
    if (done === true) return value;
  }
}

/** In turns of a few milliseconds. Empty where /proc is hidden or absent. */
export async function findKin(name: string, isWanted: (mark: string) => boolean, root = "/proc"): Promise<readonly Kin[]> {
  const pass = look(name, isWanted, root);
  let turnEndsAt = performance.now() + TURN_MS;
  for (;;) {
    const { done, value } = pass.next();
    if (done === true) return value;
    if (performance.now() < turnEndsAt) continue;
    await new Promise((resolve) => setImmediate(resolve));
    turnEndsAt = performance.now() + TURN_MS;
  }
}

/** Signals a process, if it is still the one that was meant. */
export function signalProcess({ pid, startTime }: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isSameProcess(pid, startTime)) return;
  try {
    process.kill(pid, name);
  } catch {
    // Gone already, or another user's.
  }
}

/** Yields after each process that it has looked at. */
function* look(name: string, isWanted: (mark: string) => boolean, root: string): Generator<undefined, readonly Kin[]> {
  const marks = new Map<number, string>();
  const stats = new Map<number, NonNullable<ReturnType<typeof readStat>>>();
  for (const pid of pidsIn(root)) {
    const stat = readStat(pid, root);
    if (stat !== null && !stat.isGone) {
      stats.set(pid, stat);
      const mark = readMark(pid, name, root);
      if (mark !== null && isWanted(mark)) marks.set(pid, mark);
    }
    yield undefined;
  }
  // Whoever has wiped or replaced its environment belongs to its parent.
  const kin: Kin[] = [];
  for (const [pid, { startTime, session }] of stats) {
    const mark = inheritedMark(pid, marks, stats);
    if (mark !== undefined) kin.push({ pid, startTime, session, mark });
  }
  return kin;
}

function inheritedMark(pid: number, marks: ReadonlyMap<number, string>, stats: ReadonlyMap<number, { readonly parentPid: number }>) {
  // A pid reused between two reads could close a circle, so each is visited once.
  const seen = new Set<number>();
  for (let at: number | undefined = pid; at !== undefined && !seen.has(at); at = stats.get(at)?.parentPid) {
    const mark = marks.get(at);
    if (mark !== undefined) return mark;
    seen.add(at);
  }
  return undefined;
}

/** Null also for the processes of others, whose environment is theirs. */
function readMark(pid: number, name: string, root: string): string | null {
  const text = readTextOrNull(join(root, String(pid), "environ"));
  if (text === null) return null;
  const head = `${name}=`;
  const at = text.startsWith(head) ? 0 : text.indexOf(`\0${head}`) + 1;
  if (at === 0 && !text.startsWith(head)) return null;
  const end = text.indexOf("\0", at);
  return text.slice(at + head.length, end === -1 ? undefined : end);
}
