// A stop serves what the kernel has accepted before it and no worker yet: it takes one connection of a socket in a turn of the event loop, and nobody comes after
// the last worker. Many connections wait, in the queues of workers that stand still.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import { startListening, untilWhole } from "../helpers/strategies.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";
import { isStopped } from "../helpers/victims.ts";

const CROWD = 200;

describe("a stop, of connections that no worker has accepted", {
  concurrency: 2,
  skip: process.platform !== "linux" && "Linux only",
}, () => {
  for (const listen of ["paired", "per-worker", "shared"] as const)
    for (const workers of [1, 2])
      test(`${listen}, ${workers} workers: serves them all, and ends in time`, async (t) => {
        const flags = ["--heartbeat-timeout", "10m", "--stop-timeout", "60s"];
        const service = await startListening(t, { listen, declared: true }, { workers, flags });
        await service.untilReady();
        await untilWhole(service, 1, workers);
        const pids = await service.workerPids();
        for (const pid of pids) kill(pid, "SIGSTOP");
        t.after(() => pids.forEach((pid) => void kill(pid, "SIGCONT")));
        for (const pid of pids) await until("it stands still", () => isStopped(pid));
        const waiting = Promise.all(Array.from({ length: CROWD }, () => ask(service.url("/"), false, { timeout: DEADLINE_MS * 4 })));
        const queue = `rollcall_accept_queue_length{port="${service.appPort}"}`;
        await until("they wait", async () => (await service.metric(queue)) === CROWD);
        service.signal("SIGTERM");
        await until("the master stops", () => service.hasLogged(/SIGTERM|^stopping/));
        for (const pid of pids) kill(pid, "SIGCONT");
        for (const { status } of await waiting) assert.equal(status, 200);
        assert.equal((await service.exited()).code, 0, service.output());
      });
});
