// How the kernel schedules a process against others that want the same CPU, by chrt (util-linux, BusyBox), as Node has no call for it. Runs in the master.
// Its one rule: whoever asks must be able to go on without.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { readStat, readTextOrNull } from "./procfs.ts";

/** Of sched(7): with "batch" a process that wakes up does not push another one off its CPU, but waits for its turn there. */
export type SchedulingPolicy = "other" | "batch";

/** SCHED_OTHER, as field 41 of proc(5) has it. */
const OTHER = 0;

/** Whether a process is scheduled like any other: nobody has said otherwise, of it or of what started it. False where that cannot be seen. */
export function isScheduledAsUsual(pid: number, root = "/proc"): boolean {
  return readStat(pid, root)?.schedulingPolicy === OTHER;
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
 * @returns why it could not be done; null when it was, or when the process has ended
 */
export function setScheduling(pid: number, policy: SchedulingPolicy): Promise<string | null> {
  // The short flags are BusyBox's too.
  const args = [`-${policy.charAt(0)}`, "-p", "0", String(pid)];
  const set = new Promise<void>((resolve, reject) => {
    const child = spawn("chrt", args, { stdio: "ignore" });
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`chrt ${args.join(" ")} ended with ${signal ?? code}`)),
    );
  });
  return set.then(
    () => null,
    ({ message }: Error) => (readStat(pid)?.isGone === false ? message : null),
  );
}
