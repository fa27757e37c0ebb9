// What a process that does not answer is doing: by the kernel's account of it, and by its JavaScript stack where that can be had. Runs in the master.
// Its one rule: whatever cannot be seen (no /proc, another user's) is null, never a throw.
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSeconds, descendantsOf, readTextOrNull } from "./procfs.ts";
import { type Frame, stackOf } from "./stack.ts";

export interface Hang {
  /** Of the main thread, as proc(5) has it: R runs, S sleeps, D waits for a device, T is stopped, t is traced. */
  readonly state: string | null;
  /** The function of the kernel that it sleeps in. */
  readonly waitsIn: string | null;
  readonly cpuSeconds: number | null;
  /** Programs that it has started and that still run. */
  readonly programs: readonly string[];
  readonly frames: readonly Frame[] | null;
  /** To be called when it has been killed. */
  readonly release: () => void;
}

/** An event loop that is idle but for a timer may be seen in its timer: who waits for events in any of these looks does not hang. */
const LOOKS = 5;
const BETWEEN_LOOKS_MS = 20;

export async function lookAtHang(pid: number, deadlineMs: number): Promise<Hang> {
  const { state, waitsIn } = await standing(pid);
  const facts = { state, waitsIn, cpuSeconds: cpuSeconds(pid), programs: descendantsOf(pid).map((child) => nameOf(child.pid)) };
  // Who is stopped or deep in the kernel opens no inspector, and whose event loop waits for events runs no JavaScript to be paused.
  const stack = (state === "R" || state === "S") && !isPolling(waitsIn) ? await stackOf(pid, deadlineMs) : null;
  return { ...facts, frames: stack?.frames ?? null, release: stack?.release ?? (() => {}) };
}

async function standing(pid: number): Promise<Pick<Hang, "state" | "waitsIn">> {
  for (let looks = 1; ; looks++) {
    const state = stateOf(pid);
    const waitsIn = readTextOrNull(`/proc/${pid}/wchan`)?.trim().replace(/^0$/, "") || null;
    if (isPolling(waitsIn) || looks === LOOKS) return { state, waitsIn };
    await sleep(BETWEEN_LOOKS_MS);
  }
}

/** Waits for events: as an idle event loop does, and as one that runs a program synchronously. */
export function isPolling(waitsIn: string | null): boolean {
  return waitsIn !== null && /epoll_wait|sys_poll|io_cqring_wait/.test(waitsIn);
}

function stateOf(pid: number): string | null {
  const stat = readTextOrNull(`/proc/${pid}/stat`);
  return stat === null ? null : (stat.slice(stat.lastIndexOf(")") + 2)[0] ?? null);
}

/** Not the command line, which may hold secrets. */
function nameOf(pid: number): string {
  return readTextOrNull(`/proc/${pid}/comm`)?.trim() ?? "?";
}
