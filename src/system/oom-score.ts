// Makes the kernel pick any process but the master when memory runs out. Runs in the master, right after a fork, and in the commands that ask it.
// Its one rule: a best effort; without /proc, or with a read-only one, the kernel chooses by size alone.
import { readFileSync, writeFileSync } from "node:fs";
import { isOthers } from "./procfs.ts";

/** On top of the container's own: raising it needs no privilege. What the child starts inherits it. */
const MORE = 300;
const MOST = 1_000;

export function preferForOom(pid: number, root = "/proc"): void {
  if (isOthers(root)) return;
  const file = `${root}/${pid}/oom_score_adj`;
  try {
    const own = Number(readFileSync(file, "utf8"));
    writeFileSync(file, String(Math.min(MOST, own + MORE)));
  } catch {
    // Gone already, hidden or read-only.
  }
}

/** For a command in the service's container, which can be run again: with a worker killed and still going, the master would be the next largest. */
export function offerForOom(root = "/proc"): void {
  try {
    writeFileSync(`${root}/self/oom_score_adj`, String(MOST));
  } catch {
    // Hidden or read-only.
  }
}
