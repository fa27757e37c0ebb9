// All processes of a run carry a mark in their environment, so that none can be left behind, whoever their parent is by then.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { pidsIn, readTextOrNull } from "../src/system/procfs.ts";

const MARK = `BENCH_RUN=${process.pid}-${Date.now()}`;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a command with the run's mark; `mark` tells the services of a run apart. Output goes to a file descriptor. */
export function launch(command: Command, mark: string, output: number): number {
  const [name, value] = MARK.split("=") as [string, string];
  const child = spawn(command.file, command.args, {
    stdio: ["ignore", output, output],
    env: { ...process.env, NODE_ENV: "production", ...command.env, [name]: value, BENCH_SERVICE: mark },
    // A group of its own: Ctrl-C reaches the harness alone, which then cleans up.
    detached: true,
  });
  child.on("error", () => {});
  child.unref();
  return child.pid ?? 0;
}

/** The living processes of this run; of one service if a mark is given. */
export function processesOf(mark?: string): readonly number[] {
  return pidsIn().filter((pid) => {
    const variables = readTextOrNull(`/proc/${pid}/environ`)?.split("\0") ?? [];
    return pid !== process.pid && variables.includes(MARK) && (mark === undefined || variables.includes(`BENCH_SERVICE=${mark}`));
  });
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}

/** SIGKILLs what is left of a service, or of the whole run, and whatever it starts meanwhile. */
export async function killAll(mark?: string): Promise<void> {
  for (;;) {
    const pids = processesOf(mark);
    if (pids.length === 0) return;
    for (const pid of pids) signal(pid, "SIGKILL");
    await sleep(20);
  }
}

/** The same for handlers that cannot wait. */
export function killAllNow(): void {
  for (let sweep = 0; sweep < 5; sweep++) for (const pid of processesOf()) signal(pid, "SIGKILL");
}

/** In MiB: what nobody shares (it does not depend on who else maps the same binary), and the proportional share. */
export function memoryOf(pid: number): { readonly privateMiB: number; readonly pssMiB: number } {
  const smaps = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = (pattern: RegExp): number => [...smaps.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0);
  return { privateMiB: kib(/^Private_(?:Clean|Dirty):\s+(\d+)/gm) / 1024, pssMiB: kib(/^Pss:\s+(\d+)/gm) / 1024 };
}

/** Polls until the check gives something truthy. A throwing check counts as not yet. */
export async function until<T>(what: string, check: () => T | Promise<T>, deadlineMs: number, everyMs = 10): Promise<NonNullable<T>> {
  const endsAt = performance.now() + deadlineMs;
  for (;;) {
    try {
      const value = await check();
      if (value) return value;
    } catch {
      // Not yet.
    }
    if (performance.now() > endsAt) throw new Error(`gave up after ${deadlineMs} ms waiting until ${what}`);
    await sleep(everyMs);
  }
}
