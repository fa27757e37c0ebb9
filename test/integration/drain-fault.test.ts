// An uncaught exception under load: the request that threw is failed at once where that can be told, and no other; its worker is replaced.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { ask, connect, startLoad } from "../helpers/load.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** Held sockets: what comes before the successor is there waits for it. So long a budget that a client that hangs to the deadline is not mistaken for one that was answered. */
const FLAGS = ["--listen", "paired", "--stop-timeout", "60s", "--drain-idle", "200ms"];

async function start(t: TestContext): Promise<Service> {
  const service = await startService(t, { app: "drain-http.mjs", workers: 1, flags: FLAGS });
  await service.untilReady();
  return service;
}

describe("an uncaught exception", { concurrency: 3 }, () => {
  for (const [when, how, expected] of [
    ["in the handler", "sync", /^HTTP\/1\.1 500 [\s\S]*connection: close/i],
    ["in a timer", "timer", /^HTTP\/1\.1 500 [\s\S]*connection: close/i],
    ["after the headers", "headers", /^HTTP\/1\.1 200 [\s\S]*first (\r\n)?$/],
  ] as const) {
    test(`${when}: its client is told at once; requests in flight and clients with keep-alive lose nothing`, async (t) => {
      const service = await start(t);
      const load = startLoad(t, service.url("/"));
      await until("the load runs", () => load.succeeded() > 20);
      const slow = ask(service.url("/slow?ms=3000"));
      await until("it is in flight", () => service.output().includes("begun /slow"));
      const client = await connect(service.appPort);
      client.send(`/throw?how=${how}`);
      await until("the connection ends", () => client.isClosed());
      assert.match(client.received(), expected);
      assert.equal((await slow).body, "slow");
      await until("a successor serves", async () => (await service.workerPids()).length === 1);
      const before = load.succeeded();
      await until("the load goes on", () => load.succeeded() > before + 20);
      await load.stop();
      assert.deepEqual(load.failures(), []);
    });
  }

  test("in a timer, on a connection that had requests before: its client waits for two seconds, not for the deadline", async (t) => {
    const service = await start(t);
    const client = await connect(service.appPort);
    client.send("/");
    await until("the first answer is there", () => client.received().endsWith("hello /"));
    client.send("/throw?how=timer");
    await until("the connection ends", () => client.isClosed());
    assert.match(client.received(), /HTTP\/1\.1 500 /);
  });
});
