// Looks at processes from outside, and ends whole trees of them.
import { readFileSync } from "node:fs";
import { descendantsOf, pidsIn, zombieOf } from "../../src/system/procfs.ts";

/** Alive and not a zombie. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false;
  }
}

/** Its letter, such as "T" for one that is stopped; null when it is gone. */
export function stateOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.charAt(stat.lastIndexOf(")") + 2);
  } catch {
    return null;
  }
}

export function childrenOf(pid: number): readonly number[] {
  return descendantsOf(pid).map((each) => each.pid);
}

/** Dead children that nobody has waited for. */
export function zombiesOf(pid: number): readonly number[] {
  return pidsIn().filter((each) => zombieOf(each, pid) !== null);
}

export function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

/** SIGKILLs a process and all that it started. */
export function killTree(pid: number): void {
  const pids = [pid, ...childrenOf(pid)];
  for (const each of pids) kill(each);
}
