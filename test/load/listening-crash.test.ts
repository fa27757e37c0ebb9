// A crash costs only what that worker had accepted: nobody hangs, the queues are served by others, nothing leaks in the master.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { kill } from "../helpers/processes.ts";
import { GROUNDS, type Ground, startListening, untilAllAnswer, untilWhole, watchRequests } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

/** The default is tried the longest. */
const killsOf = ({ listen }: Ground): number => (listen === "paired" ? 8 : 4);
const CLIENTS = 8;
/** The longest that a client may wait through a crash. */
const HANG_MS = 3_000;

const fds = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

describe("kill -9", { skip: process.platform !== "linux" && "needs /proc" }, () => {
  for (const ground of GROUNDS) {
    const times = killsOf(ground);
    test(`${ground.name}: ${times} times under load costs what was being executed, and leaks nothing`, async (t) => {
      const service = await startListening(t, ground);
      await service.untilReady();
      await untilWhole(service, 1, 3);
      await untilAllAnswer(service, 3);
      const before = fds(service.pid);
      const load = watchRequests(t, service.url("/?ms=2"), CLIENTS);
      for (let kills = 1; kills <= times; kills++) {
        const served = load.succeeded();
        await until("the load runs", () => load.succeeded() > served + 50);
        const pids = await service.workerPids();
        kill(pids[kills % pids.length] as number);
        const crashes = 'rollcall_process_exits_total{role="worker",outcome="crash"}';
        const killed = 'rollcall_process_exits_total{role="worker",outcome="killed"}';
        await until("the master knows", async () => (await service.metric(crashes)) + (await service.metric(killed)) >= kills);
        await untilWhole(service, 1, 3);
      }
      await load.stop();
      assert.ok(load.slowestMs() < HANG_MS, `slowest answer: ${load.slowestMs()} ms`);
      assert.ok(load.failures().length <= times * CLIENTS, load.failures().join("\n"));
      assert.deepEqual(
        load.failures().filter((failure) => !/ECONNRESET|socket hang up/.test(failure)),
        [],
        "no connection was refused",
      );
      await until(`the master has ${before} descriptors again, not ${fds(service.pid)}`, () => fds(service.pid) <= before);
    });
  }

  test("paired: both workers of a queue at once, and all later connections are served at once", async (t) => {
    const service = await startListening(
      t,
      { listen: "paired", declared: true },
      { workers: 4, flags: ["--backoff-delay", "5s", "--max-restarts", "20"] },
    );
    await service.untilReady();
    // Twice in a row: the first rebirth comes at once, the second one after the backoff.
    for (let deaths = 0; deaths < 2; deaths++) {
      await untilWhole(service, 1, 4);
      const pids = await service.workerPids();
      for (const slot of [0, 3]) kill(pids[slot] as number);
      await until("the master knows", async () => (await service.workerPids()).filter((pid) => pids.includes(pid)).length === 2);
    }
    assert.equal((await service.workerPids()).length, 2, "two are resting");
    const load = watchRequests(t, service.url("/"), 4);
    await until("400 are served", () => load.succeeded() > 400);
    await load.stop();
    assert.deepEqual(load.failures(), []);
    assert.ok(load.slowestMs() < 1_000, `slowest answer: ${load.slowestMs()} ms`);
  });
});
