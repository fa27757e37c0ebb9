// P2. kill -9 of a worker, and process.exit() in a handler: what fails are connections that it had accepted; those in a queue and all later ones
// are served, nobody hangs, and the master leaks no descriptor. An uncaught exception costs the request that threw. 15 seconds.
// test/load/ does it under saturation, on declared and undeclared ports.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { assertExplained, startTraced, type TracedLoad } from "../helpers/clients/traced.ts";
import { fdsOf } from "../helpers/listeners.ts";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import type { Service } from "../helpers/service.ts";
import { ON_CLUSTER, PAIRED, ROUND_ROBIN, startUnderLoad, untilAllAnswer, untilWhole, type Way } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";
import { hasSs, ownedBy, stopAndList, untilOneStops } from "../helpers/victims.ts";

/** The two that hold the port, and the one for everywhere else. */
const WAYS: readonly Way[] = [PAIRED, ROUND_ROBIN, ON_CLUSTER];
const WORKERS = 2;
const CLIENTS = 6;
const REQUESTS = 40;
const KILLS = 3;

interface Scene {
  readonly service: Service;
  readonly load: TracedLoad;
  untilServed(): Promise<void>;
  /** Everyone is back after so many deaths, and no descriptor of the master's is left over. */
  untilHealed(deaths: number): Promise<void>;
}

async function setScene(t: TestContext, { listen, env }: Way): Promise<Scene> {
  const flags = ["--backoff-delay", "50ms", "--stop-timeout", "5s"];
  const service = await startUnderLoad(t, { listen, declared: true }, { workers: WORKERS, flags, env });
  await service.untilReady();
  await untilAllAnswer(service, WORKERS);
  const before = fdsOf(service.pid).length;
  const load = startTraced(t, service.url("/?ms=5"), CLIENTS);
  const untilServed = async (): Promise<void> => {
    const served = load.succeeded();
    await until(`${REQUESTS} more requests are served`, () => load.succeeded() >= served + REQUESTS);
  };
  await untilServed();
  const untilHealed = async (deaths: number): Promise<void> => {
    const ended = async (outcome: string) => service.metric(`rollcall_process_exits_total{role="worker",outcome="${outcome}"}`);
    await until("the master knows", async () => (await ended("killed")) + (await ended("crash")) === deaths);
    await untilWhole(service, 1, WORKERS);
    await until(`it has ${before} descriptors again`, () => fdsOf(service.pid).length <= before);
  };
  return { service, load, untilServed, untilHealed };
}

describe("a crash costs only what that worker had accepted", { concurrency: 2, skip: !hasSs && "needs ss" }, () => {
  for (const way of WAYS) {
    test(`${way.name}: kill -9, ${KILLS} times`, async (t) => {
      const scene = await setScene(t, way);
      const owned = new Set<number>();
      for (let kills = 1; kills <= KILLS; kills++) {
        const [victim] = (await scene.service.workerPids()).slice(kills % WORKERS);
        for (const port of await stopAndList(victim as number, scene.service.appPort)) owned.add(port);
        kill(victim as number);
        await scene.untilHealed(kills);
        await scene.untilServed();
      }
      await assertExplained(scene.load, owned);
    });

    test(`${way.name}: process.exit() in a handler`, async (t) => {
      const scene = await setScene(t, way);
      const asked = ask(scene.service.url("/exit")).catch(() => {});
      const pid = await untilOneStops(scene.service.pid);
      const owned = ownedBy(pid, scene.service.appPort);
      kill(pid, "SIGCONT");
      await asked;
      await scene.untilHealed(1);
      await scene.untilServed();
      await assertExplained(scene.load, owned);
    });

    test(`${way.name}: an uncaught exception, the request that threw`, async (t) => {
      const scene = await setScene(t, way);
      assert.equal((await ask(scene.service.url("/throw"))).status, 500);
      await scene.untilHealed(1);
      await scene.untilServed();
      await assertExplained(scene.load, new Set());
    });
  }
});
