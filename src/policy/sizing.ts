// How many workers to run and how much memory each may use, from what the machine grants. Pure; run by the master and `rollcall config`.
// Its one rule: every figure comes with the words that explain it.

import type { MemorySetting, WorkersSetting } from "../config/config.ts";

const MIB = 1024 * 1024;
/** What the master keeps for itself: a bare Node is 42 MiB resident, the rest is metrics, sockets and messages in passing. */
const MASTER_MIB = 64;
/** The least share that `auto` and a percentage give a worker: 42 MiB of Node, 56 MiB of heap, and some room. */
const COMFORTABLE_MIB = 128;
/** Under this nothing starts unless the number of workers was given. */
const LEAST_MIB = 96;
const LEAST_HEAP_MIB = 32;
/** Part of a share that the heap may fill, before Node itself is taken off; the rest is for buffers, stacks and young objects. */
const HEAP_RATIO = 0.75;
const NODE_MIB = 40;
/**
 * Where a worker is recycled, as a part of its share: a heap that is full ends the process, at 0.75 to 1 of the share (measured), so 0.9 would
 * come too late. With a heap of the user's own only the kernel's limit counts.
 */
const RECYCLE_RATIO = 0.75;
const RECYCLE_RATIO_OWN_HEAP = 0.9;
/** The part of its heap that a worker may keep after garbage collection: from here on V8 does little else than collect, and soon ends the process. */
const RECYCLE_HEAP_RATIO = 0.8;
/** A small Express app comes to 111 MiB under load, however small its heap. */
const LEAST_RECYCLE_MIB = 128;
/** From this many workers on, sizing by a machine that set no limit is more likely an oversight than a wish. */
const MANY_WORKERS = 8;

export interface SizingInput {
  readonly workers: WorkersSetting;
  /** CPUs that the scheduler may use for this process (os.availableParallelism() or the affinity mask). */
  readonly affinityCpus: number;
  /** CPU quota of the cgroup, such as 1.5; null without one. */
  readonly cgroupCpus: number | null;
  /** ROLLCALL_CPUS; null when unset. */
  readonly declaredCpus: number | null;
  /** Memory limit of the cgroup; null without one. */
  readonly memoryLimitBytes: number | null;
  readonly hasAgent: boolean;
  /** --max-old-space-size that the user gave the children; null when unset. */
  readonly userHeapMiB: number | null;
  readonly maxMemory: MemorySetting;
  /** How many ready workers it takes to be ready. */
  readonly minReady: number;
}

export type Sizing =
  | {
      readonly ok: true;
      readonly cpus: number;
      /** What set `cpus`: "CPU affinity", "cgroup quota" or "ROLLCALL_CPUS". */
      readonly cpusFrom: string;
      readonly workers: number;
      /** For a person: "one per CPU", "50 % of 8 CPUs", "as set", "as many as the memory holds (one per CPU would be 8)". */
      readonly workersFrom: string;
      /** Null without a memory limit. 0 when an explicit number of workers leaves nothing. */
      readonly workerShareBytes: number | null;
      /** Null without a memory limit or without an agent; else the same as a worker's. */
      readonly agentShareBytes: number | null;
      /** The --max-old-space-size to add for each child; null to add none: no memory limit, or the user set one. */
      readonly heapMiB: number | null;
      /** The resident memory at which a worker is recycled; null for none. */
      readonly recycleBytes: number | null;
      /** What a worker may keep of its heap after garbage collection before it is recycled; null for any amount. */
      readonly recycleHeapBytes: number | null;
      /** What the first screen of the log should say about these sizes. */
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly problem: string };

type Sized = Extract<Sizing, { readonly ok: true }>;

/**
 * Sizes the service. CPUs are the least of affinity, quota and ROLLCALL_CPUS, floored, at least 1. Of the memory limit the master
 * keeps 64 MiB; workers and agent share the rest equally. `auto` and percentages run fewer workers rather than give one less
 * than 128 MiB; a number is kept, and a shortage noted. Under 96 MiB in all: a problem, unless `workers` is a number.
 */
export function sizeService(input: SizingInput): Sizing {
  const { cpus, cpusFrom } = countCpus(input);
  const wanted = wantedWorkers(input.workers, cpus);
  const isExplicit = input.workers.kind === "count";
  const limit = input.memoryLimitBytes;
  const notes: string[] = [];
  if (!isExplicit && input.cgroupCpus === null && input.declaredCpus === null && wanted.count > MANY_WORKERS) {
    notes.push(
      `no CPU limit is set, so all ${cpus} CPUs of the machine count (${wanted.count} workers wanted): set ROLLCALL_CPUS to the CPUs that ` +
        "this container may use, or --workers to a number",
    );
  }
  if (limit === null) {
    return {
      ok: true,
      cpus,
      cpusFrom,
      workers: wanted.count,
      workersFrom: wanted.from,
      workerShareBytes: null,
      agentShareBytes: null,
      heapMiB: null,
      recycleBytes: recycleBytes(input, null),
      recycleHeapBytes: null,
      notes: [...notes, ...readyNotes(input.minReady, wanted.count)],
    };
  }
  if (!isExplicit && limit < LEAST_MIB * MIB) return { ok: false, problem: tooSmall(limit, input.hasAgent) };

  const capacity = isExplicit ? wanted.count : Math.max(1, Math.floor(forChildren(limit) / (COMFORTABLE_MIB * MIB)) - agents(input));
  const workers = Math.min(wanted.count, capacity);
  const workersFrom = workers < wanted.count ? `as many as the memory holds (${wanted.from} would be ${wanted.count})` : wanted.from;
  const share = Math.floor(forChildren(limit) / (workers + agents(input)));
  notes.push(...memoryNotes(input, limit, share, workers, wanted.count), ...readyNotes(input.minReady, workers));
  return {
    ok: true,
    cpus,
    cpusFrom,
    workers,
    workersFrom,
    workerShareBytes: share,
    agentShareBytes: input.hasAgent ? share : null,
    heapMiB: input.userHeapMiB === null ? heapFor(share) : null,
    recycleBytes: recycleBytes(input, share),
    recycleHeapBytes: input.maxMemory.kind === "auto" ? Math.floor(RECYCLE_HEAP_RATIO * (input.userHeapMiB ?? heapFor(share)) * MIB) : null,
    notes,
  };
}

/** Fewer workers than it takes to be ready would never be: all of them are enough then. */
export function readyNotes(minReady: number, workers: number): readonly string[] {
  if (minReady <= workers) return [];
  return [
    `min-ready is ${minReady}, but there ${workers === 1 ? "is" : "are"} ${count(workers, "worker")} only: that many are enough to be ready`,
  ];
}

/** Why there cannot be so many workers, or null. */
export function scaleProblem(workers: number, mostWorkers: number): string | null {
  if (workers < 1) return "at least one worker stays";
  return workers > mostWorkers ? `there can be ${mostWorkers} workers at most` : null;
}

/** The arithmetic behind a sizing, one line each, for `rollcall config`. `input` is what the sizing was made from. */
export function explainSizing(sizing: Sizing, input: SizingInput): readonly string[] {
  const { cpus, cpusFrom } = countCpus(input);
  const sources = `affinity ${input.affinityCpus}, cgroup quota ${input.cgroupCpus === null ? "none" : rounded(input.cgroupCpus)}, ROLLCALL_CPUS ${input.declaredCpus ?? "not set"}`;
  const lines = [`cpus: ${cpus}, from ${cpusFrom} (the least of ${sources}; floored, at least 1)`];
  if (!sizing.ok) return [...lines, `problem: ${sizing.problem}`];

  lines.push(`workers: ${sizing.workers}, ${sizing.workersFrom}`);
  const limit = input.memoryLimitBytes;
  if (limit === null || sizing.workerShareBytes === null) {
    lines.push(
      "memory: no limit, so no shares",
      `heap: ${input.userHeapMiB === null ? "Node's default" : `${input.userHeapMiB} MiB, as set`}`,
    );
  } else {
    const share = mib(sizing.workerShareBytes);
    lines.push(
      `memory: (${mib(limit)} MiB limit - ${MASTER_MIB} MiB for the master) / ${sharers(sizing.workers, input.hasAgent)} = ${share} MiB each`,
      sizing.heapMiB === null
        ? `heap: ${input.userHeapMiB ?? "?"} MiB, as set`
        : `heap: max(${LEAST_HEAP_MIB}, ${HEAP_RATIO} x ${share} - ${NODE_MIB}) = ${sizing.heapMiB} MiB (--max-old-space-size)`,
    );
  }
  lines.push(`recycling: ${explainRecycling(input, sizing)}`);
  return [...lines, ...sizing.notes.map((note) => `note: ${note}`)];
}

function countCpus(input: SizingInput): { readonly cpus: number; readonly cpusFrom: string } {
  const floored = (granted: number): number => Math.max(1, Math.floor(granted));
  let best = { cpus: floored(input.affinityCpus), cpusFrom: "CPU affinity" };
  // On a tie the limit that someone set is the reason: os.availableParallelism() has a floored v2 quota in it already.
  if (input.cgroupCpus !== null && floored(input.cgroupCpus) <= best.cpus)
    best = { cpus: floored(input.cgroupCpus), cpusFrom: "cgroup quota" };
  if (input.declaredCpus !== null && floored(input.declaredCpus) < best.cpus)
    best = { cpus: floored(input.declaredCpus), cpusFrom: "ROLLCALL_CPUS" };
  return best;
}

function wantedWorkers(setting: WorkersSetting, cpus: number): { readonly count: number; readonly from: string } {
  switch (setting.kind) {
    case "auto":
      return { count: cpus, from: "one per CPU" };
    case "count":
      return { count: setting.count, from: "as set" };
    case "share":
      return { count: Math.max(1, Math.round(setting.share * cpus)), from: `${rounded(setting.share * 100)} % of ${count(cpus, "CPU")}` };
  }
}

function tooSmall(limit: number, hasAgent: boolean): string {
  const comfortable = MASTER_MIB + COMFORTABLE_MIB * (hasAgent ? 2 : 1);
  return (
    `the memory limit is ${mib(limit)} MiB, but the service needs at least ${LEAST_MIB} MiB: ${MASTER_MIB} for the master and the rest for ` +
    `${hasAgent ? "the agent and a worker" : "a worker"} (${comfortable} MiB is comfortable). Raise the limit (docker run --memory, ` +
    "resources.limits.memory), or start all the same with --workers 1"
  );
}

function memoryNotes(input: SizingInput, limit: number, share: number, workers: number, wanted: number): readonly string[] {
  const notes: string[] = [];
  const comfortableFor = (processes: number): number => MASTER_MIB + COMFORTABLE_MIB * (processes + agents(input));
  const among = `${mib(limit)} MiB of memory shared by the master and ${sharers(workers, input.hasAgent)}`;
  if (workers < wanted) {
    notes.push(
      `${count(workers, "worker")} instead of ${wanted}: the memory limit of ${mib(limit)} MiB holds no more at ${COMFORTABLE_MIB} MiB each; ` +
        `${wanted} need ${comfortableFor(wanted)} MiB`,
    );
  }
  if (share < COMFORTABLE_MIB * MIB) {
    const remedy = workers > 1 ? "run fewer workers or raise the memory limit" : "raise the memory limit";
    notes.push(
      `${among} leave ${mib(share)} MiB each, under the ${COMFORTABLE_MIB} MiB that a process needs to be safe: ${remedy} (to ${comfortableFor(workers)} MiB)`,
    );
  }
  if (input.userHeapMiB !== null && input.userHeapMiB > heapFor(share)) {
    notes.push(
      `a heap of ${input.userHeapMiB} MiB, as set, is more than the ${heapFor(share)} MiB that fit a share of ${mib(share)} MiB: the kernel may kill ` +
        "a process before its heap is full",
    );
  }
  if (input.maxMemory.kind === "size" && input.maxMemory.bytes > share) {
    notes.push(
      `max-memory (${mib(input.maxMemory.bytes)} MiB) is more than a worker's share of ${mib(share)} MiB: the kernel may kill a worker before it is recycled`,
    );
  }
  return notes;
}

function recycleBytes({ maxMemory, userHeapMiB }: SizingInput, share: number | null): number | null {
  switch (maxMemory.kind) {
    case "off":
      return null;
    case "size":
      return maxMemory.bytes;
    case "auto":
      return share === null ? null : Math.max(LEAST_RECYCLE_MIB * MIB, Math.floor(recycleRatio(userHeapMiB) * share));
  }
}

function explainRecycling(
  { maxMemory, userHeapMiB }: SizingInput,
  { workerShareBytes: share, recycleBytes: bytes, recycleHeapBytes: heap }: Sized,
): string {
  if (maxMemory.kind === "off") return "off, as set (max-memory)";
  if (bytes === null) return "off: max-memory is auto, and there is no memory limit";
  const how = maxMemory.kind === "auto" ? `max(${LEAST_RECYCLE_MIB}, ${recycleRatio(userHeapMiB)} x ${mib(share ?? 0)}) = ` : "";
  const orHeap = heap === null ? "" : `, or ${Math.round(heap / MIB)} MiB of heap after garbage collection`;
  return `${how}${mib(bytes)} MiB resident${how === "" ? ", as set" : ""}${orHeap} (max-memory; each worker's own limit is 90 to 100 % of it)`;
}

function recycleRatio(userHeapMiB: number | null): number {
  return userHeapMiB === null ? RECYCLE_RATIO : RECYCLE_RATIO_OWN_HEAP;
}

/** What is left when the master has its part. */
function forChildren(limitBytes: number): number {
  return Math.max(0, limitBytes - MASTER_MIB * MIB);
}

function agents(input: SizingInput): number {
  return input.hasAgent ? 1 : 0;
}

function heapFor(shareBytes: number): number {
  return Math.max(LEAST_HEAP_MIB, Math.floor((HEAP_RATIO * shareBytes) / MIB - NODE_MIB));
}

function sharers(workers: number, hasAgent: boolean): string {
  return hasAgent ? `(${count(workers, "worker")} + 1 agent)` : count(workers, "worker");
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** Rounded down, so that a limit one byte too small does not read as large enough. */
function mib(bytes: number): number {
  return Math.floor((bytes / MIB) * 100) / 100;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
