// P1. Rolling reload, scale up and down and graceful stop under load: 0 failed, 0 hung, with keep-alive clients and with one connection per
// request. Light, for a slow machine: 15 seconds. test/load/ does it under saturation, with every client and on every strategy.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { HUNG_MS } from "../helpers/clients/client.ts";
import { startTraced, type TracedLoad } from "../helpers/clients/traced.ts";
import type { Service } from "../helpers/service.ts";
import { ON_CLUSTER, PAIRED, ROUND_ROBIN, startUnderLoad, untilWhole, type Way } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const CLIENTS = 4;
/** The two that hold the port, and the one for everywhere else. */
const WAYS: readonly Way[] = [PAIRED, ROUND_ROBIN, ON_CLUSTER];
/** Between two steps: enough that every client has asked several times. */
const REQUESTS = 40;

async function untilServed(load: TracedLoad): Promise<void> {
  const before = load.succeeded();
  await until(`${REQUESTS} more requests are served`, () => load.succeeded() >= before + REQUESTS);
}

async function assertNoneLost(load: TracedLoad): Promise<void> {
  await load.stop();
  assert.deepEqual(load.failures(), []);
  assert.ok(load.slowestMs() < HUNG_MS, `the slowest answer took ${load.slowestMs()} ms`);
}

async function start(t: TestContext, { listen, env }: Way, workers: number, flags: readonly string[] = []) {
  const service: Service = await startUnderLoad(t, { listen, declared: true }, { workers, flags, env });
  await service.untilReady();
  const load = startTraced(t, service.url("/?ms=5"), CLIENTS);
  await untilServed(load);
  return { service, load };
}

describe("no request is lost", { concurrency: 2 }, () => {
  for (const way of WAYS) {
    test(`${way.name}: by two rolling reloads`, async (t) => {
      const { service, load } = await start(t, way, 2);
      for (const generation of [2, 3]) {
        service.signal("SIGHUP");
        await untilWhole(service, generation, 2);
        await untilServed(load);
      }
      await assertNoneLost(load);
    });

    test(`${way.name}: by scaling from 1 to 3 and back`, async (t) => {
      const { service, load } = await start(t, way, 1);
      for (const [signal, workers] of [
        ["SIGTTIN", 2],
        ["SIGTTIN", 3],
        ["SIGTTOU", 2],
        ["SIGTTOU", 1],
      ] as const) {
        service.signal(signal);
        await untilWhole(service, 1, workers);
        await untilServed(load);
      }
      await assertNoneLost(load);
    });

    test(`${way.name}: by a stop, when the clients go as soon as it is not ready`, async (t) => {
      const { service, load } = await start(t, way, 2, ["--drain-delay", "1s"]);
      const slow = startTraced(t, service.url("/?ms=1000"), 2);
      await until("slow requests are in hand", async () => (await service.status()).workers.some(hasRequests));
      service.signal("SIGTERM");
      await until("it is not ready", async () => (await service.probe("ready")) !== 200);
      await Promise.all([assertNoneLost(load), assertNoneLost(slow)]);
      assert.equal((await service.exited()).code, 0);
    });
  }
});

type Slot = Awaited<ReturnType<Service["status"]>>["workers"][number];

function hasRequests({ processes }: Slot): boolean {
  return processes.some(({ requestsInFlight }) => (requestsInFlight ?? 0) > 0);
}
