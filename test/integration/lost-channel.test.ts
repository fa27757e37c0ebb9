// A worker whose channel to the master is closed, by the app or for what it wrote there: it drains in its own time, and another one serves meanwhile.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask } from "../helpers/load.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

test("a worker without a channel is replaced at once, and has the time of a drain: it is not taken for one that hangs", async (t) => {
  const flags = ["--heartbeat-timeout", "2s", "--stop-timeout", "60s", "--drain-idle", "100ms"];
  const service = await startService(t, { app: "lost-channel.mjs", workers: 1, flags });
  await service.untilReady();
  const [old] = await service.workerPids();
  const answer = ask(service.url("/leave"));
  await until("another one serves", async () => {
    const { body } = await ask(service.url("/"));
    return body !== String(old);
  });
  assert.deepEqual(await answer.then(({ status, body }) => [status, body]), [200, "served"]);
  await until("the old one has ended", async () => (await service.status()).workers[0]?.lastExit !== null);
  const { lastExit } = (await service.status()).workers[0] ?? {};
  assert.deepEqual([lastExit?.pid, lastExit?.outcome, lastExit?.code], [old, "crash", 110]);
  assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="crash"}'), 1);
  assert.match(service.output(), /worker 0: Error: it has lost its channel to the master, drains and is replaced/);
});
