// Jobs that must run once, not once for each worker: the agent keeps the time, one worker does the work and says that it is done.
// Your own project imports from "rollcall/app".
import { setTimeout as sleep } from "node:timers/promises";
import { messenger, shutdownSignal } from "../../src/runtime/app.ts";

const JOBS = [{ name: "report", everyMs: Number(process.env.EVERY_MS ?? 60_000), timeoutMs: 10_000 }];

// Not before somebody is there to do the work: this comes when all workers are ready, and to an agent that is started later.
messenger.once("egg-ready", () => {
  for (const job of JOBS) void repeat(job);
});

/** The next run begins when the last has ended: a job never runs twice at a time. */
async function repeat({ name, everyMs, timeoutMs }: (typeof JOBS)[number]): Promise<void> {
  for (let run = 1; !shutdownSignal.aborted; run++) {
    await sleep(everyMs, undefined, { signal: shutdownSignal }).catch(() => {});
    if (shutdownSignal.aborted) return;
    try {
      console.log(`${name} ${run}: ${await messenger.ask("app", name, run, { timeout: timeoutMs })}`);
    } catch (error) {
      // Whether it was done cannot be known: the worker may have died after it. Make the job one that may be repeated, or record its runs.
      console.error(`${name} ${run} failed: ${(error as Error).message}`);
    }
  }
}
