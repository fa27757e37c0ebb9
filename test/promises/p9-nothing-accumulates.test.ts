// P9. Restarts leave the master's descriptors, timers and listeners flat. ROLLCALL_SOAK_CYCLES=1000 runs it for longer.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const CYCLES = Number(process.env.ROLLCALL_SOAK_CYCLES ?? 12);
/** Probes and scrapes of this test come and go. */
const SLACK_FDS = 4;

function countFds(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

async function settled(service: Service): Promise<void> {
  await until("all serve and nothing drains", async () => {
    const { workers, reloading } = await service.status();
    return !reloading && workers.every((slot) => slot.processes.length === 1 && slot.state === "ready");
  });
}

test("keeps descriptors and listeners flat through kills and reloads", async (t) => {
  const flags = ["--backoff-delay", "0ms", "--max-restarts", "1000000", "--drain-idle", "50ms"];
  const service = await startService(t, { app: "http.mjs", workers: 2, flags });
  await service.untilReady();
  const { pid } = await service.status();
  // The first cycle opens what stays open.
  let before = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    for (const worker of await service.workerPids()) process.kill(worker, "SIGKILL");
    await until(
      "both are gone and back",
      async () => (await service.metric('rollcall_process_exits_total{role="worker",outcome="killed"}')) === 2 * (cycle + 1),
    );
    await settled(service);
    service.signal("SIGHUP");
    await until("reloaded", async () => (await service.metric('rollcall_reloads_total{result="success"}')) === cycle + 1);
    await settled(service);
    if (cycle === 0) before = countFds(pid);
  }
  await until("the descriptors are back to where they were", () => countFds(pid) <= before + SLACK_FDS);
  assert.ok(!service.output().includes("MaxListenersExceededWarning"), service.output());
});
