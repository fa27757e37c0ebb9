// How the end of a child reads in the log: what happened, and what to do where that is known. Pure text.
import type { Departure, Life, Outcome, Sample } from "./life.ts";

/** From this share of its limit on, a heap may have been full when V8 aborted the process: in a small one the young half of the limit is empty then. */
const FULL_SHARE = 0.5;
/** What a child exits with when its channel is closed: the master is there to see it, so not because the master has died. */
const LOST_CHANNEL = 110;
const CHANNEL_WORDS =
  "it lost its channel to the master (process.disconnect() in the app does that, and so does writing to it what is no message)";
const MIB = 1024 * 1024;

/** The rest of a sentence that begins with the child's name. */
export function describeEnd(life: Life, event: Departure, outcome: Outcome): string {
  const how = event.signal === null ? `exited with code ${event.code}` : `was ended by ${event.signal}`;
  switch (outcome) {
    case "clean":
      return `stopped (${how})`;
    case "boot_failure":
      // No process: why there is none is a line of its own.
      if (event.code === null && event.signal === null) return "could not be started";
      if (life.fault !== null) return `failed to boot: it ${how} before it was ready (${life.fault.name}: ${life.fault.message})`;
      return `failed to boot: it ${how} before it was ready${event.code === LOST_CHANNEL ? `: ${CHANNEL_WORDS}` : ""}`;
    case "oom":
      return "was killed by the kernel: the container is out of memory (OOM); raise its memory limit or use fewer workers";
    case "crash":
      if (event.code === LOST_CHANNEL) return `${how}: ${CHANNEL_WORDS}`;
      return event.signal === "SIGABRT" ? `${how}: ${describeAbort(life.sample)}` : how;
    case "killed":
      return how;
    case "unresponsive":
      return `was killed, for it did not answer (${how})`;
    default:
      return outcome satisfies never;
  }
}

/** A heap that fills within the time of one heartbeat was not seen full. */
function describeAbort(sample: Sample | null): string {
  if (sample === null || sample.heapUsedBytes < FULL_SHARE * sample.heapLimitBytes)
    return "V8 or Node aborts a process whose heap is full or that fails a check of theirs, and so does abort(); stderr says which it was";
  const { heapUsedBytes, heapLimitBytes } = sample;
  const mib = (bytes: number): number => Math.round(bytes / MIB);
  const held = `it held ${mib(heapUsedBytes)} of ${mib(heapLimitBytes)} MiB when it last spoke`;
  return `V8 aborts a process whose heap is full, and ${held}; if stderr says so too, raise the memory limit or --max-old-space-size`;
}
