// agent-mode thread: what each agent had in the master goes with it: descriptors, threads, timers, listeners, memory. ROLLCALL_SOAK_CYCLES=1000 for longer.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { startThreaded, type ThreadedService } from "../helpers/threaded.ts";
import { until } from "../helpers/until.ts";

const CYCLES = Number(process.env.ROLLCALL_SOAK_CYCLES ?? 20);
/** By then all that is made once has been made. */
const WARM_UP = 5;
/** Probes and scrapes of this test come and go. */
const FD_SLACK = 2;
/** A thread that does not go keeps 8 MiB or more. */
const RSS_SLACK_BYTES: number = 48 << 20;
const HEAP_SLACK_BYTES: number = 8 << 20;

interface Sample {
  readonly fds: number;
  readonly threads: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly active: number;
}

async function sample(service: ThreadedService, pid: number): Promise<Sample> {
  return {
    fds: readdirSync(`/proc/${pid}/fd`).length,
    threads: readdirSync(`/proc/${pid}/task`).length,
    rssBytes: await service.metric("process_resident_memory_bytes"),
    heapBytes: await service.metric("nodejs_heap_size_used_bytes"),
    active: await activeOf(service),
  };
}

/** Timers, sockets, ports and the like that Node counts in the master. */
async function activeOf(service: ThreadedService): Promise<number> {
  const text = await service.metrics();
  return [...text.matchAll(/^nodejs_active_resources\{[^}]*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}

test(`${CYCLES} agents that exit, hang or fill their heaps leave the master as it was`, async (t) => {
  const flags = ["--heartbeat-timeout", "1s", "--node-arg=--max-old-space-size=32", "--backoff-delay", "0ms", "--max-restarts", "1000000"];
  const service = await startThreaded(t, { flags });
  await service.untilReady();
  const { pid } = await service.status();
  let agent = await service.agent();
  let before: Sample | null = null;
  for (let cycle = 1; cycle <= WARM_UP + CYCLES; cycle++) {
    await service.deed(["exit", "hang", "exit", "fill", "kill"][cycle % 5] as string);
    agent = await service.replaced(agent);
    if (cycle === WARM_UP) before = await sample(service, pid);
  }
  assert.ok(before !== null);
  const limit = before;
  let after = before;
  await until("the master is as it was", async () => {
    after = await sample(service, pid);
    return (
      after.fds <= limit.fds + FD_SLACK &&
      after.threads <= limit.threads &&
      after.active <= limit.active + FD_SLACK &&
      after.heapBytes <= limit.heapBytes + HEAP_SLACK_BYTES &&
      after.rssBytes <= limit.rssBytes + RSS_SLACK_BYTES
    );
  }).catch((error: Error) => {
    throw new Error(`${error.message}\nbefore ${JSON.stringify(limit)}\nafter ${JSON.stringify(after)}`);
  });
  t.diagnostic(`before ${JSON.stringify(limit)}, after ${JSON.stringify(after)}`);
  assert.doesNotMatch(service.output(), /MaxListenersExceededWarning/);
  assert.equal((await service.status()).agent?.restarts, WARM_UP + CYCLES);
});
