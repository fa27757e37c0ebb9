// How the kernel schedules a process against others that want the same CPU, by chrt (util-linux, BusyBox), as Node has no call for it. Runs in the master.
// Its one rule: whoever asks must be able to go on without.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { readStat, readTextOrNull } from "./procfs.ts";
import { isRunning } from "./running.ts";

/** Of sched(7): with "batch" a process that wakes up does not push another one off its CPU, but waits for its turn there. */
export type SchedulingPolicy = "other" | "batch";

/** As field 41 of proc(5) has them. */
const POLICIES: Readonly<Record<number, SchedulingPolicy>> = { 0: "other", 3: "batch" };
/** A chrt that takes longer hangs. */
const CHRT_MS = 5_000;

/** @returns "another" for one that somebody has set; null where it cannot be seen; undefined when the process has ended */
export function schedulingOf(pid: number, root = "/proc"): SchedulingPolicy | "another" | null | undefined {
  const stat = readStat(pid, root);
  if (stat?.isGone === true) return undefined;
  if (stat !== null) return POLICIES[stat.schedulingPolicy] ?? "another";
  return isRunning(pid) ? null : undefined;
}

/** The CPUs that this process may run on, by its affinity; a quota of CPU time does not count. Null where that cannot be seen. */
export function schedulableCpus(root = "/proc"): number | null {
  const list = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(readTextOrNull(join(root, "self", "status")) ?? "")?.[1];
  if (list === undefined) return null;
  return list
    .split(",")
    .map((range) => range.split("-").map(Number))
    .reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0);
}

/**
 * Sets how the first thread of a process is scheduled, the one that runs JavaScript; what it starts from then on inherits that. Needs no privilege.
 * @returns why it could not be done; null when it was, when the process has ended, or when `signal` wants it no more
 */
export async function setScheduling(pid: number, policy: SchedulingPolicy, signal: AbortSignal): Promise<string | null> {
  // The short flags are BusyBox's too.
  const args = [`-${policy.charAt(0)}`, "-p", "0", String(pid)];
  // Node leaves its listener on the signal of a process that could not be started.
  const own = new AbortController();
  const abort = (): void => own.abort();
  signal.addEventListener("abort", abort);
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn("chrt", args, { stdio: "ignore", timeout: CHRT_MS, killSignal: "SIGKILL", signal: own.signal });
      child.once("error", reject);
      child.once("exit", (code, by) => (code === 0 ? resolve() : reject(new Error(`chrt ${args.join(" ")} ended with ${by ?? code}`))));
    });
    return null;
  } catch (error) {
    return signal.aborted || schedulingOf(pid) === undefined ? null : (error as Error).message;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
