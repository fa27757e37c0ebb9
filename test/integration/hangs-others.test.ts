// Hung children that are no worker in service: an agent, and a worker in its boot. Replaced or given up in time, with a word on what they hung on.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pidOf, steer } from "../fixtures/apps/roll-steering.ts";
import { HANG_FLAGS as FLAGS, found, LONG_MS } from "../helpers/hangs.ts";
import { isAlive } from "../helpers/processes.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

describe("a hung child of another kind", { concurrency: 3 }, () => {
  test("an agent is replaced, and the workers live on", async (t) => {
    const steering = steer(t);
    const service = await startService(t, {
      app: "roll-steered.mjs",
      agent: "roll-steered.mjs",
      workers: 1,
      env: steering.env,
      flags: FLAGS,
    });
    await service.untilReady();
    const [agent, worker] = [await pidOf(service, "agent"), await pidOf(service, 0)];
    steering.on("block", "agent");
    await until("it is found", () => found(service, /^agent has not answered .*killing and replacing it/), LONG_MS);
    await until("it is gone", () => !isAlive(agent), LONG_MS);
    steering.off("block", "agent");
    await until("another one is ready", async () => (await pidOf(service, "agent")) !== agent, LONG_MS);
    assert.equal(await pidOf(service, 0), worker);
    assert.equal(await service.metric('rollcall_process_exits_total{role="agent",outcome="unresponsive"}'), 1);
  });

  test("one that hangs in its boot ends the start by boot-timeout, and the log says on what", async (t) => {
    const flags = [...FLAGS, "--boot-timeout", "2s"];
    const service = await startService(t, { app: "how-it-ends.mjs", workers: 1, env: { LOOP_AT_BOOT: "1" }, flags });
    assert.equal((await service.exited(LONG_MS)).code, 3, service.output());
    assert.ok(found(service, /was not ready within 2000 ms \(boot-timeout\)/));
    assert.ok(found(service, /^worker 0 hung in (endlessLoop|native code)/), service.output());
  });

  test("one whose event loop is idle is told from one that computes", async (t) => {
    const flags = [...FLAGS, "--boot-timeout", "3s"];
    const service = await startService(t, { app: "bad-never-listens.mjs", workers: 1, flags });
    assert.equal((await service.exited(LONG_MS)).code, 3, service.output());
    assert.ok(found(service, /^worker 0 waited for something asynchronous: its event loop (is idle|runs)/), service.output());
  });
});
