// P3. A stop ends within its budget whatever the app does, and the exit code says how it ended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { childrenOf, isAlive } from "../helpers/processes.ts";
import { startService } from "../helpers/service.ts";

const BUDGET_MS = 5_000;
/** What a slow machine may add before the master's exit is seen. */
const SLACK_MS = 6_000;

test("ends within its budget with a blocked worker, an endless request and a hook that never ends, all at once", async (t) => {
  const service = await startService(t, {
    app: "promise-stubborn.mjs",
    workers: 2,
    agent: "promise-stubborn-agent.mjs",
    flags: ["--stop-timeout", `${BUDGET_MS}ms`],
  });
  await service.untilReady();
  const children = childrenOf(service.pid);
  const endless = fetch(service.url("/endless")).catch(() => {});
  const blocked = fetch(service.url("/block")).catch(() => {});
  await service.metric("rollcall_ready");
  service.signal("SIGTERM");
  const { code, afterMs } = await service.exited();
  assert.equal(code, 8, service.output());
  assert.ok(afterMs < BUDGET_MS + SLACK_MS, `${afterMs} ms`);
  assert.deepEqual(children.filter(isAlive), []);
  await Promise.all([endless, blocked]);
});
