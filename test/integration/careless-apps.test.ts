// What an app does without meaning harm, and what would cut it off from its master or drown it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask } from "../helpers/load.ts";
import { isAlive, kill } from "../helpers/processes.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const FLAGS = ["--stop-timeout", "9s", "--drain-idle", "200ms"];

describe("an app that takes every listener off `process`", { concurrency: 2 }, () => {
  for (const listen of ["paired", "round-robin"]) {
    test(`${listen}: still hears its master, and has lost its own listeners`, async (t) => {
      const options = { app: "removes-listeners.mjs", agent: "removes-listeners.mjs", workers: 2 };
      const service = await startService(t, { ...options, flags: [...FLAGS, "--listen", listen] });
      await service.untilReady();
      service.signal("SIGHUP");
      await until("both are replaced, and ended as they were told", async () => {
        const { workers, generation } = await service.status();
        return generation === 2 && workers.every(({ lastExit }) => lastExit?.outcome === "clean" && lastExit.code === 0);
      });
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0, service.output());
      assert.doesNotMatch(service.output(), /the app's own listener/);
    });
  }

  test("ends when its master does", async (t) => {
    const service = await startService(t, { app: "removes-listeners.mjs", workers: 2, flags: FLAGS });
    await service.untilReady();
    const pids = await service.workerPids();
    kill(service.pid);
    await until("they are gone", () => !pids.some(isAlive));
  });
});

test("an uncaught exception where stderr cannot be written to drains the worker and exits 1, and is told once", async (t) => {
  const wrapper = ["bash", "-c", 'exec "$@" 2>/dev/full', "--"];
  const service = await startService(t, { app: "how-it-ends.mjs", workers: 1, wrapper, flags: FLAGS });
  await service.untilReady();
  await ask(service.url("/throw")).catch(() => {});
  await until("the worker has ended", async () => (await service.status()).workers[0]?.lastExit !== null);
  const { lastExit } = (await service.status()).workers[0] ?? {};
  assert.deepEqual([lastExit?.outcome, lastExit?.code], ["crash", 1]);
  assert.equal(service.log().filter(({ msg }) => /^worker 0: /.test(msg)).length, 1, service.output());
});
