// The heartbeat: a timer of the child's own event loop, so that a blocked loop is silent. Carries lag, utilization, memory and traffic. Runs in a child.
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { Assignment } from "../../messenger/wire.ts";
import type { Sample } from "../../policy/life.ts";
import type { Channel } from "../border/channel.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { LiveHeap } from "./live-heap.ts";

/** How often the lag is sampled; the sampler's own period is part of what it measures and is taken off again. */
const LAG_RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

interface Parts {
  readonly assignment: Assignment;
  readonly channel: Channel;
  readonly traffic: Traffic;
}

/** Starts the heartbeat, and returns what sends one more at once. */
export function startHeartbeat({ assignment, channel, traffic }: Parts): () => void {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  let before = performance.eventLoopUtilization();
  const beat = (): void => {
    const now = performance.eventLoopUtilization();
    const utilization = performance.eventLoopUtilization(now, before).utilization;
    before = now;
    channel.send({ type: "beat", sample: sample(utilization) });
    lag.reset();
  };
  const liveHeap = new LiveHeap(beat);
  setInterval(beat, assignment.heartbeatMs).unref();
  return beat;

  function sample(utilization: number): Sample {
    const cpu = assignment.thread ? process.threadCpuUsage() : process.cpuUsage();
    const heap = getHeapStatistics();
    liveHeap.note(heap);
    return {
      lagP50Seconds: lagSeconds(lag.percentile(50)),
      lagP99Seconds: lagSeconds(lag.percentile(99)),
      lagMaxSeconds: lagSeconds(lag.max),
      utilization: Number.isFinite(utilization) ? Math.max(0, utilization) : 0,
      // A thread shares its with the master: nobody can tell them apart.
      residentBytes: assignment.thread ? 0 : residentBytes(),
      heapUsedBytes: heap.used_heap_size,
      heapLiveBytes: liveHeap.bytes,
      heapLimitBytes: heap.heap_size_limit,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      requestsInFlight: traffic.inFlight,
      requests: traffic.requests,
      connections: traffic.connections.size,
    };
  }
}

let lastResidentBytes = 0;

/** Node opens a file for it, which fails when the app has used up its descriptors: then the last value stands. */
function residentBytes(): number {
  try {
    lastResidentBytes = process.memoryUsage.rss();
  } catch {}
  return lastResidentBytes;
}

/** An empty histogram has extreme values for its percentiles: no sample is no lag. */
function lagSeconds(nanoseconds: number): number {
  const seconds = nanoseconds / NANOSECONDS - LAG_RESOLUTION_MS / 1_000;
  return Number.isFinite(seconds) && seconds > 0 && seconds < 86_400 ? seconds : 0;
}
