// From the configuration and the machine to what will run: sizes, settings for the policies, and the words for the first screen.
import os from "node:os";
import type { Config } from "../config/config.ts";
import { childrenNodeOptions, cpusFrom } from "../config/environment.ts";
import { MOST_WORKERS } from "../config/kinds.ts";
import { ClusterError } from "../errors.ts";
import type { Limits } from "../policy/life.ts";
import { type Sizing, type SizingInput, sizeService } from "../policy/sizing.ts";
import type { Settings } from "../policy/state.ts";
import { readCgroup } from "../system/cgroup.ts";

export type Sized = Extract<Sizing, { ok: true }>;

export interface Plan {
  readonly config: Config;
  readonly sizing: Sized;
  readonly settings: Settings;
  /** For each child's Node. */
  readonly heapFlags: readonly string[];
}

/** Young objects lie beside the heap that is set: up to 192 MiB of them on Node 24, three times this value with the flag. */
const SMALL_SEMI_SPACE_MIB = 16;
/** From this heap on (a share of 512 MiB) Node's own young generation fits. */
const LARGE_HEAP_MIB = 344;

/** @throws ClusterError ERR_CONFIG (exit 2) when the memory cannot hold a service */
export function makePlan(config: Config, env: NodeJS.ProcessEnv, listening: Settings["listening"]): Plan {
  const sizing = sizeService(sizingInput(config, env));
  if (!sizing.ok) throw new ClusterError("ERR_CONFIG", sizing.problem, { reason: "usage" });
  return {
    config,
    sizing,
    settings: {
      ...config,
      workerCount: sizing.workers,
      mostWorkers: MOST_WORKERS,
      cpus: sizing.cpus,
      hasAgent: config.agent !== null,
      listening,
      limits: limitsOf(config, sizing),
      shareBytes: sizing.workerShareBytes,
    },
    heapFlags: heapFlags(sizing.heapMiB, childrenNodeOptions(env, config.env)),
  };
}

function limitsOf({ maxRequests, maxLifetimeMs }: Config, { recycleBytes, recycleHeapBytes }: Sized): Limits {
  const limit = (set: number | "off"): number | null => (set === "off" ? null : set);
  return { residentBytes: recycleBytes, heapBytes: recycleHeapBytes, requests: limit(maxRequests), lifetimeMs: limit(maxLifetimeMs) };
}

function heapFlags(heapMiB: number | null, nodeOptions: readonly string[]): readonly string[] {
  if (heapMiB === null) return [];
  const isYoungSet = nodeOptions.some((flag) => /^--max[-_]semi[-_]space[-_]size/.test(flag));
  const young = heapMiB > LARGE_HEAP_MIB || isYoungSet ? [] : [`--max-semi-space-size=${SMALL_SEMI_SPACE_MIB}`];
  return [`--max-old-space-size=${heapMiB}`, ...young];
}

/** What the machine grants, as the sizing wants to know it. */
export function sizingInput(config: Config, env: NodeJS.ProcessEnv): SizingInput {
  const cgroup = readCgroup();
  const memoryLimitBytes = cgroup.memoryLimitBytes === null ? null : Math.min(cgroup.memoryLimitBytes, os.totalmem());
  return {
    workers: config.workers,
    affinityCpus: os.availableParallelism(),
    cgroupCpus: cgroup.cpuQuota,
    declaredCpus: cpusFrom(env) ?? null,
    memoryLimitBytes,
    hasAgent: config.agent !== null,
    maxMemory: config.maxMemory,
    minReady: config.minReady,
    userHeapMiB: userHeapMiB([...childrenNodeOptions(env, config.env), ...config.nodeArgs], memoryLimitBytes ?? os.totalmem()),
  };
}

/** As Node takes them: a percentage of the memory before a size, and the last one of each. */
function userHeapMiB(flags: readonly string[], memoryBytes: number): number | null {
  let size: number | null = null;
  let percentage: number | null = null;
  for (const [index, flag] of flags.entries()) {
    const match = /^--max[-_]old[-_]space[-_]size([-_]percentage)?(?:=(.*))?$/.exec(flag);
    if (match === null) continue;
    const value = Number.parseFloat(match[2] ?? flags[index + 1] ?? "");
    if (Number.isNaN(value)) continue;
    if (match[1] === undefined) size = value;
    else percentage = value;
  }
  return percentage === null ? size : Math.floor((percentage * memoryBytes) / 100 / 2 ** 20);
}
