// P5. The master answers the probes, whatever the app is doing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

test("answers while every worker blocks, and turns with the truth", async (t) => {
  const service = await startService(t, { app: "http.mjs", workers: 2, flags: ["--heartbeat-timeout", "60s"] });
  await service.untilReady();
  const blocks = Array.from({ length: 8 }, () =>
    fetch(service.url("/block?ms=1000"), { headers: { connection: "close" } }).then((answer) => answer.text()),
  );
  let blocked = true;
  const done = Promise.all(blocks).finally(() => (blocked = false));
  let answers = 0;
  while (blocked) {
    assert.equal(await service.probe("live"), 200);
    assert.equal(await service.probe("ready"), 200);
    answers += 2;
  }
  await done;
  // At least four seconds of work for two workers: a probe that waited for one of them would come through a handful of times.
  assert.ok(answers > 50, `${answers} answers`);

  for (const pid of await service.workerPids()) process.kill(pid, "SIGKILL");
  await until("readiness tells that everybody is gone", async () => (await service.probe("ready")) === 500);
  await until("readiness tells that they are back", async () => (await service.probe("ready")) === 200);
  assert.equal(await service.probe("live"), 200);
});
