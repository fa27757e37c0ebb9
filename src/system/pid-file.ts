// The pid file: one line with the master's pid, which belongs to one live process at a time. Used by the master and by `rollcall stop --pid-file`.
// A number alone proves nothing: pids come again after a reboot, and in a container the master is always 1.
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ClusterError } from "../errors.ts";
import { removeAtEnd } from "./passing-file.ts";
import { readStat } from "./procfs.ts";
import { isRunning } from "./running.ts";

/** Linux counts a process's start in these, whatever the machine. */
const TICK_MS = 10;
/** A clock that is set, and what lies between a process's start and its first statement. */
const SLACK_MS = 2_000;

export type PidFile =
  | { readonly state: "absent" }
  /** It is there and holds no pid; an empty one counts as stale. */
  | { readonly state: "foreign" }
  | { readonly state: "stale" | "live"; readonly pid: number; readonly inode: number };

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
    const { ino, mtimeMs } = fstatSync(fd);
    const bytes = Buffer.alloc(64);
    const text = bytes.toString("latin1", 0, readSync(fd, bytes)).trim();
    if (text === "") return { state: "stale", pid: 0, inode: ino };
    if (!/^\d{1,10}$/.test(text)) return { state: "foreign" };
    const pid = Number(text);
    return { state: isOwner(pid, mtimeMs) ? "live" : "stale", pid, inode: ino };
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
    if (found.state === "stale" && statSync(path, { throwIfNoEntry: false })?.ino === found.inode) rmSync(path);
    // One level, as for --log-file: more is rather a mistake in the path.
    if (!existsSync(dirname(path))) mkdirSync(dirname(path));
    writeFileSync(path, `${process.pid}\n`, { flag: "wx" });
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

/** Whether a process of this pid lives that may have written the file: it began before the file was written. */
function isOwner(pid: number, writtenAtMs: number): boolean {
  if (pid === process.pid || !isRunning(pid)) return false;
  const [own, other] = [readStat(process.pid), readStat(pid)];
  if (other?.isGone === true) return false;
  // Without /proc a live pid has to do.
  if (own === null || other === null) return true;
  // Counted from this process's own start: what a container shows as the time since boot may be the container's.
  const startedAtMs = performance.timeOrigin + (other.startTime - own.startTime) * TICK_MS;
  return startedAtMs <= writtenAtMs + SLACK_MS;
}

function refusal(problem: string, cause?: unknown): ClusterError {
  return new ClusterError("ERR_CONFIG", `pid-file: ${problem}`, { reason: "usage", cause });
}
