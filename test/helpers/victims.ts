// A worker that is about to die, seen from outside: stopped first, so that what it owns holds still while it is read from the kernel by ss.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { childrenOf, kill } from "./processes.ts";
import { until } from "./until.ts";

export const hasSs: boolean = spawnSync("ss", ["-V"]).error === undefined;

/** Stops the process. @returns the clients' ports of the connections that it has accepted */
export async function stopAndList(pid: number, port: number): Promise<ReadonlySet<number>> {
  kill(pid, "SIGSTOP");
  await until(`${pid} has stopped`, () => isStopped(pid));
  return ownedBy(pid, port);
}

/** Waits for a child of the master that stops by itself. */
export function untilOneStops(master: number): Promise<number> {
  return until("a worker has stopped itself", () => childrenOf(master).find(isStopped));
}

/** The clients' ports of the connections of a listening port that a process has accepted. */
export function ownedBy(pid: number, port: number): ReadonlySet<number> {
  const text = execFileSync("ss", ["-tnpH", "state", "established", `( sport = :${port} )`], { encoding: "utf8", maxBuffer: 1 << 26 });
  const owned = text.split("\n").filter((line) => line.includes(`pid=${pid},`));
  return new Set(owned.map((line) => Number(/:(\d+)\s+users:/.exec(line)?.[1])));
}

export function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) === "T";
  } catch {
    return false;
  }
}
