// The pid file: one line with the master's pid, which belongs to one live process at a time. Used by the master and by `rollcall stop --pid-file`.
// A number alone proves nothing: pids come again after a reboot, and in a container the master is always 1.
import {
  type BigIntStats,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { ClusterError } from "../errors.ts";
import { removeAtEnd } from "./passing-file.ts";
import { isOthers, readStat } from "./procfs.ts";
import { isRunning } from "./running.ts";

/** Linux counts a process's start in these, whatever the machine. */
const TICK_MS = 10;
/** A clock that is set, and what lies between a process's start and its first statement. */
const SLACK_MS = 2_000;

export type PidFile =
  | { readonly state: "absent" }
  /** It is there and holds no pid; an empty one counts as stale. */
  | { readonly state: "foreign" }
  | { readonly state: "stale" | "live"; readonly pid: number; readonly inode: bigint };

/** @throws what the system says to opening a file that is there */
export function readPidFile(path: string): PidFile {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return { state: "absent" };
    throw error;
  }
  try {
    const file = fstatSync(fd, { bigint: true });
    const bytes = Buffer.alloc(64);
    const text = bytes.toString("latin1", 0, readSync(fd, bytes)).trim();
    if (text === "") return { state: "stale", pid: 0, inode: file.ino };
    if (!/^\d{1,10}$/.test(text)) return { state: "foreign" };
    const pid = Number(text);
    return { state: isOwner(pid, file) ? "live" : "stale", pid, inode: file.ino };
  } finally {
    closeSync(fd);
  }
}

/**
 * Makes the file this process's own.
 * @returns what takes it away again, harmless when it is another's by then
 * @throws ClusterError ERR_CONFIG (exit 2) when a live process has it, when it is no pid file, or cannot be written
 */
export function claimPidFile(path: string): () => void {
  try {
    const found = readPidFile(path);
    if (found.state === "live")
      throw refusal(`${path} belongs to process ${found.pid}, which is running: stop that, or choose another file`);
    if (found.state === "foreign") throw refusal(`${path} is there and holds no pid; expected a file of Rollcall's own, or none`);
    // Looked at once more: another master may have replaced it meanwhile.
    if (found.state === "stale" && statSync(path, { throwIfNoEntry: false, bigint: true })?.ino === found.inode) rmSync(path);
    // One level, as for --log-file: more is rather a mistake in the path.
    if (!existsSync(dirname(path))) mkdirSync(dirname(path));
    // Open for as long as this process lives: that tells whose it is, whatever the clock does.
    writeSync(openSync(path, "wx"), `${process.pid}\n`);
  } catch (error) {
    if ((error as ClusterError).reason !== undefined) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw refusal(`another process has just taken ${path}`);
    removeEmpty(path);
    throw refusal(`cannot write ${path}: ${message}; expected a path in a folder that this user may write to`, error);
  }
  return removeAtEnd(path);
}

/** A full disk still takes an empty file: one without a pid is worse than none. */
function removeEmpty(path: string): void {
  try {
    const stat = statSync(path);
    if (stat.isFile() && stat.size === 0) rmSync(path);
  } catch {}
}

/** Whether a process of this pid lives that has the file open, or may have written it: it began before the file was written. */
function isOwner(pid: number, file: BigIntStats): boolean {
  if (pid === process.pid || !isRunning(pid)) return false;
  if (holds(pid, file)) return true;
  const [own, other] = [readStat(process.pid), readStat(pid)];
  if (other?.isGone === true) return false;
  // Without /proc a live pid has to do.
  if (own === null || other === null) return true;
  // Counted from this process's own start: what a container shows as the time since boot may be the container's.
  const startedAtMs = performance.timeOrigin + (other.startTime - own.startTime) * TICK_MS;
  return startedAtMs <= Number(file.mtimeMs) + SLACK_MS;
}

/** False also where that cannot be seen. */
function holds(pid: number, { dev, ino }: BigIntStats): boolean {
  if (isOthers("/proc")) return false;
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((name) => {
      const open = statSync(`${folder}/${name}`, { throwIfNoEntry: false, bigint: true });
      return open?.dev === dev && open.ino === ino;
    });
  } catch {
    return false;
  }
}

function refusal(problem: string, cause?: unknown): ClusterError {
  return new ClusterError("ERR_CONFIG", `pid-file: ${problem}`, { reason: "usage", cause });
}
