// Makes the kernel pick a child and not the master when memory runs out. Runs in the master, right after a fork.
// Its one rule: a best effort; without /proc, or with a read-only one, the kernel chooses by size alone.
import { readFileSync, writeFileSync } from "node:fs";

/** On top of the container's own: raising it needs no privilege. What the child starts inherits it. */
const MORE = 300;
const MOST = 1_000;

export function preferForOom(pid: number, root = "/proc"): void {
  const file = `${root}/${pid}/oom_score_adj`;
  try {
    const own = Number(readFileSync(file, "utf8"));
    writeFileSync(file, String(Math.min(MOST, own + MORE)));
  } catch {
    // Gone already, hidden or read-only.
  }
}
