// P6. Junk, forged and endless messages, crashes and closed pipes of children do not end the master, and do not fool it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

test("lives through junk, forged messages, a flood, a closed channel and a crash of its children", async (t) => {
  const service = await startService(t, {
    app: "promise-hostile.mjs",
    workers: 2,
    flags: ["--backoff-delay", "10ms", "--max-restarts", "1000"],
  });
  await service.untilReady();
  const master = (await service.status()).pid;
  for (const attack of ["junk", "forged", "internals", "bytes", "pipe", "flood", "disconnect", "crash", "kill"]) {
    await fetch(service.url(`/${attack}`), { headers: { connection: "close" } }).then(
      (answer) => answer.text(),
      () => {},
    );
    await until(`both workers serve after "${attack}"`, async () => (await service.workerPids()).length === 2);
    const status = await service.status();
    assert.equal(status.pid, master);
    assert.equal(status.state, "running", attack);
    assert.ok(Number.isFinite(await service.metric('rollcall_requests_total{slot="0"}')), attack);
  }
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
});
