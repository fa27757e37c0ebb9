// A status as a page for a person: what the service is, and a row for each process. Pure, but for colours, which are the caller's.
import type { ProcessView, SlotView, Snapshot } from "../policy/snapshot.ts";

export interface Status extends Snapshot {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly app: string;
  readonly title: string | null;
  readonly addresses: readonly string[];
}

export type Tone = "good" | "bad" | "busy" | "faint";
/** Paints a word, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string;

interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

const MIB = 1024 * 1024;
const HEAD = ["", "state", "pid", "generation", "restarts", "uptime", "memory", "loop", "in flight", "requests"];

export function statusPage(status: Status, paint: Paint): string {
  const { rollCall, workersReady, workersTarget } = status;
  const flag = (is: boolean, yes: string, no: string): string => paint(is ? "good" : "bad", is ? yes : no);
  const notes = [
    ...(status.maintenance ? ["drained by request: rollcall undrain takes it back"] : []),
    ...(status.crashLoop ? ["crash loop"] : []),
    ...slots(status).flatMap(lastFailure),
    ...slots(status).flatMap(ailmentsOf),
  ];
  const lines = [
    `${status.title ?? status.app}: ${paint(STATE_TONES[status.state], status.state)}, ${flag(status.ready, "ready", "not ready")}, ${flag(status.live, "live", "not live")}, generation ${status.generation}`,
    `rollcall ${status.version}, Node ${status.node}, pid ${status.pid}, up ${duration(status.uptimeSeconds)}`,
    `workers: ${workersReady} of ${workersTarget} ready; roll call: ${rollCall.strikes} of ${rollCall.failureThreshold} strikes`,
    ...(status.addresses.length === 0 ? [] : [status.addresses.join("  ")]),
    ...notes.map((note) => paint("busy", note)),
    "",
    table([HEAD.map((text): Cell => ({ text, tone: "faint" })), ...slots(status).flatMap(rowsOf)], paint),
  ];
  return `${lines.join("\n")}\n`;
}

const STATE_TONES: Readonly<Record<Snapshot["state"], Tone>> = { starting: "busy", running: "good", reloading: "busy", stopping: "busy" };
const PROCESS_TONES: Readonly<Record<SlotView["state"], Tone>> = {
  starting: "busy",
  ready: "good",
  draining: "busy",
  killing: "bad",
  backoff: "bad",
  retired: "faint",
};

function slots({ agent, workers }: Status): readonly SlotView[] {
  return agent === null ? workers : [agent, ...workers];
}

/** How a slot's last process ended, where that was not in order. */
function lastFailure({ role, slot, lastExit }: SlotView): readonly string[] {
  if (lastExit === null || lastExit.outcome === "clean") return [];
  const { outcome, code, signal, secondsAgo } = lastExit;
  const how = signal ?? (code === null ? "never started" : `exit ${code}`);
  return [`${role === "agent" ? "agent" : `worker ${slot}`}: last end ${outcome} (${how}), ${duration(secondsAgo)} ago`];
}

/** What its process says is not well. */
function ailmentsOf({ role, slot, processes }: SlotView): readonly string[] {
  const who = role === "agent" ? "agent" : `worker ${slot}`;
  return processes.flatMap(({ ailments }) =>
    ailments.map(({ name, reason }) => `${who}: ${name} is not well${reason === "" ? "" : `: ${reason}`}`),
  );
}

/** One row for each process of a slot; the slot's own figures stand in the first. */
function rowsOf(slot: SlotView): readonly (readonly Cell[])[] {
  const name = slot.role === "agent" ? "agent" : `worker ${slot.slot}`;
  const tail = { restarts: String(slot.restarts), requests: slot.role === "agent" ? "" : String(slot.requests) };
  const [first, ...rest] = slot.processes;
  if (first === undefined) {
    const rests = slot.state === "backoff";
    const state: Cell = { text: rests ? `backoff ${duration(slot.backoffSeconds)}` : slot.state, tone: PROCESS_TONES[slot.state] };
    return [[{ text: name }, state, ...["", "", tail.restarts, "", "", "", "", tail.requests].map((text) => ({ text }))]];
  }
  return [processRow(name, first, tail), ...rest.map((process) => processRow("", process, { restarts: "", requests: "" }))];
}

function processRow(name: string, process: ProcessView, slot: { readonly restarts: string; readonly requests: string }): readonly Cell[] {
  const { pid, thread, eventLoopUtilization, requestsInFlight } = process;
  return [
    { text: name },
    { text: process.state, tone: PROCESS_TONES[process.state] },
    { text: pid === null ? "" : thread === null ? String(pid) : `${pid} thread ${thread}` },
    { text: String(process.generation) },
    { text: slot.restarts },
    { text: duration(process.uptimeSeconds) },
    { text: memoryOf(process) },
    { text: eventLoopUtilization === null ? "" : `${Math.round(eventLoopUtilization * 100)} %` },
    { text: requestsInFlight === null ? "" : String(requestsInFlight) },
    { text: slot.requests },
  ];
}

/** Of a thread the heap: the rest is the master's as well. */
function memoryOf({ thread, residentBytes, heapUsedBytes }: ProcessView): string {
  if (thread !== null) return heapUsedBytes === null ? "" : `heap ${Math.round(heapUsedBytes / MIB)} MiB`;
  return residentBytes === null ? "" : `${Math.round(residentBytes / MIB)} MiB`;
}

/** Words to the left, figures to the right. */
function table(rows: readonly (readonly Cell[])[], paint: Paint): string {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.text.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map(({ text, tone }, column) => {
          const width = widths[column] ?? 0;
          const padded = column < 2 ? text.padEnd(width) : text.padStart(width);
          return tone === undefined ? padded : padded.replace(text, paint(tone, text));
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** "850ms", "42s", "3m 12s", "2h 5m", "3d 4h". */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1_000)}ms`;
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3_600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${whole % 60}s` : `${whole}s`;
}
