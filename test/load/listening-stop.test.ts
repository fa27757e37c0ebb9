// The end of a listening service: connections are refused, not left hanging, and nothing that it has started keeps the port.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { listenersOf } from "../helpers/listeners.ts";
import { accepts, ask } from "../helpers/load.ts";
import { isAlive, kill } from "../helpers/processes.ts";
import { GROUNDS, startListening, watchRequests } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

describe("a stop", { concurrency: 2 }, () => {
  for (const ground of GROUNDS) {
    test(`${ground.name}: refuses connections once nobody accepts, finishes what it has, and leaves nobody hanging`, async (t) => {
      const service = await startListening(t, ground);
      await service.untilReady();
      const load = watchRequests(t, service.url("/"), 4);
      await until("the load runs", () => load.succeeded() > 20);
      const slow = ask(service.url("/?ms=2000"));
      await until("it is in flight", async () =>
        (await service.status()).workers.some(({ processes }) => processes.some(({ requestsInFlight }) => (requestsInFlight ?? 0) > 0)),
      );
      let isAnswered = false;
      const answered = slow.then(({ status }) => {
        isAnswered = true;
        return status;
      });
      service.signal("SIGTERM");
      await until("connections are refused", async () => !(await accepts(service.appPort)));
      assert.equal(isAnswered, false, "before the last request was done");
      assert.deepEqual(listenersOf(service.appPort), []);
      assert.equal(await answered, 200);
      assert.equal((await service.exited()).code, 0);
      await load.stop();
      assert.ok(load.slowestMs() < 2_500, `slowest answer or refusal: ${load.slowestMs()} ms`);
      assert.deepEqual(
        load.failures().filter((failure) => !/ECONNREFUSED|ECONNRESET|socket hang up/.test(failure)),
        [],
      );
    });
  }

  for (const declared of [true, false]) {
    test(`leaves no port to a detached grandchild, ${declared ? "declared" : "undeclared"}`, async (t) => {
      const service = await startListening(
        t,
        { listen: "paired", declared },
        { app: "listen-grandchild.mjs", workers: 2, flags: ["--keep-descendants"] },
      );
      await service.untilReady();
      const grandchildren = new Set<number>();
      t.after(() => {
        for (const pid of grandchildren) kill(pid);
      });
      await until("both have answered", async () => grandchildren.add(Number((await ask(service.url("/"))).body)).size === 2);
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0);
      assert.deepEqual([...grandchildren].filter(isAlive), [...grandchildren]);
      assert.deepEqual(listenersOf(service.appPort), []);
    });
  }
});
