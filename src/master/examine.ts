// The last look at a child that is killed because it does not answer: says in the log what it hangs on, and has it killed in any case, within a moment.
import type { Line } from "../log.ts";
import type { Life, Role, Slot } from "../policy/life.ts";
import { called, naming } from "../policy/turn.ts";
import { type Hang, isPolling, lookAtHang } from "../system/hang.ts";
import type { Frame } from "../system/stack.ts";

/** A worker's successor starts meanwhile; an agent's waits until the old one is gone. */
const DEADLINE_MS: Readonly<Record<Role, number>> = { worker: 4_000, agent: 1_500 };
const MOST_FRAMES = 25;

interface Examination {
  readonly slot: Slot;
  readonly life: Life;
  kill(): void;
  write(line: Line): void;
}

export async function examineThenKill({ slot, life, kill, write }: Examination): Promise<void> {
  // The pid of a thread is the master's own, and nothing shows where a thread stands.
  const hang = life.pid === null || life.thread !== null ? null : await lookAtHang(life.pid, DEADLINE_MS[slot.role]).catch(() => null);
  kill();
  hang?.release();
  if (hang !== null) write(describeHang(hang, slot, life));
}

/** The last line about a child: where it stood. */
export function describeHang(hang: Hang, slot: Slot, life: Life): Line {
  const { state, waitsIn, programs, frames } = hang;
  const stack = frames?.slice(0, MOST_FRAMES).map(atFrame) ?? null;
  const cpuSeconds = hang.cpuSeconds === null ? null : Math.max(0, hang.cpuSeconds - (life.sample?.cpuSeconds ?? 0));
  return {
    level: "error",
    message: `${called(slot)} ${words(hang)}`,
    fields: { ...naming(slot, life), hang: { state, waitsIn, cpuSecondsSinceHeartbeat: cpuSeconds, programs, stack } },
  };
}

function words({ state, waitsIn, programs, frames }: Hang): string {
  const where = frames?.find(({ url }) => !url.startsWith("node:"));
  // Paused on its way to a timer, with none of the app's code on the stack.
  if (where === undefined && frames !== null && frames.length > 0) return "waited for something asynchronous: its event loop runs";
  if (where !== undefined) return `hung in ${describeFrame(where)}${programs.length === 0 ? "" : `; it runs ${programs.join(", ")}`}`;
  // Whoever waits for events may have run for a moment, in a timer, when its state was read.
  if (isPolling(waitsIn) && (state === "S" || state === "R")) {
    if (programs.length === 0) return "waited for something asynchronous: its event loop is idle";
    return `waited for a program that it runs: ${programs.join(", ")} (execSync or the like), or for something asynchronous`;
  }
  switch (state ?? "") {
    case "R":
      return "hung in native code or in one long step of JavaScript, such as a large JSON.parse: it uses its CPU and has no stack to show";
    case "T":
    case "t":
      return "did not answer because it is stopped (SIGSTOP, or a debugger)";
    case "D":
      return `hung in the kernel, in ${waitsIn ?? "a call that is not known"}: a disk or a network file system that does not answer`;
    case "S":
      return `hung in a call that blocks${waitsIn === null ? "" : ` (${waitsIn} in the kernel)`}, and has no stack to show`;
    default:
      return "hung; what it was doing cannot be seen here";
  }
}

function describeFrame({ name, url, line, column }: Frame): string {
  const place = `${url === "" ? "<anonymous>" : url}:${line}:${column}`;
  return name === "" ? place : `${name} (${place})`;
}

function atFrame(frame: Frame): string {
  return `at ${describeFrame(frame)}`;
}
