// The shortest proof that the real path works: start, serve, probe, measure, stop.
import assert from "node:assert/strict";
import { test } from "node:test";
import { childrenOf, isAlive } from "../helpers/processes.ts";
import { startService } from "../helpers/service.ts";

test("starts, serves, answers the probes and the metrics port, and stops with 0 and nothing left", async (t) => {
  const service = await startService(t, { app: "http.mjs", agent: "agent.mjs", workers: 2 });
  await service.untilReady();
  assert.equal(await (await fetch(service.url("/"))).text(), "hello");
  assert.equal(await service.probe("live"), 200);
  assert.equal(await service.probe("health"), 200);
  assert.equal(await service.metric('rollcall_processes{role="worker",state="ready"}'), 2);
  const status = await service.status();
  assert.equal(status.workers.length, 2);
  assert.equal(status.agent?.state, "ready");

  const children = childrenOf(service.pid);
  assert.equal(children.length, 3);
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0);
  assert.deepEqual(children.filter(isAlive), []);
});
