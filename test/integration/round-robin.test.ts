// Round-robin, where the master accepts: connections are exactly even, a worker that stands still holds up one of them, and whatever ends, the port is held:
// nobody is refused, and only those fail that the victims had.
import assert from "node:assert/strict";
import http from "node:http";
import { describe, type TestContext, test } from "node:test";
import { assertExplained, startTraced, type TracedLoad } from "../helpers/clients/traced.ts";
import { connectionsOf } from "../helpers/listeners.ts";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { startListening, startUnderLoad, untilWhole } from "../helpers/strategies.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";
import { hasSs, isStopped, stopAndList } from "../helpers/victims.ts";

const WORKERS = 4;
const CONNECTIONS = 16;
const CLIENTS = 8;
const REQUESTS = 5;
const BURST = 40;
/** More connections than Node lets wait for a worker that does not take them. */
const CROWD = 1_100;
/** Of eight seconds of heartbeat-timeout a worker has one to take a connection; after two of them it would be another one's. */
const HEARTBEAT_TIMEOUT = "8s";
const BURN_MS = 2_500;
/** One that is lost by a worker that stands still comes after so long, those of the others at once. */
const GAP_MS = 1_000;

interface Answered {
  readonly slot: number;
  readonly pid: number;
}

async function slotOf(service: Service, agent: http.Agent | false): Promise<number> {
  return (JSON.parse((await ask(service.url("/"), agent)).body) as Answered).slot;
}

/** None of the clients hangs. */
async function untilServed(load: TracedLoad): Promise<void> {
  const before = load.each();
  const isServed = (): boolean => load.each().every((count, client) => count >= (before[client] ?? 0) + REQUESTS);
  await until(`each client is served ${REQUESTS} times more`, isServed);
}

async function startLoaded(t: TestContext, workers: number, declared = true): Promise<{ service: Service; load: TracedLoad }> {
  const flags = ["--backoff-delay", "50ms", "--stop-timeout", "5s"];
  const service = await startUnderLoad(t, { listen: "round-robin", declared }, { workers, flags });
  await service.untilReady();
  await untilWhole(service, 1, workers);
  // Without any worker they wait for the boot of one, however long that takes: who hangs is found by not being served when there is one.
  const load = startTraced(t, service.url("/?ms=5"), CLIENTS, DEADLINE_MS * 3);
  await untilServed(load);
  return { service, load };
}

/** @returns the clients' ports of what the victims had */
async function killAll(service: Service): Promise<ReadonlySet<number>> {
  const pids = await service.workerPids();
  const owned = new Set<number>();
  for (const pid of pids) for (const port of await stopAndList(pid, service.appPort)) owned.add(port);
  for (const pid of pids) kill(pid);
  await until("they are gone", async () => !(await service.workerPids()).some((pid) => pids.includes(pid)));
  await untilWhole(service, 1, pids.length);
  return owned;
}

describe("round-robin", { concurrency: 2, skip: !hasSs && "needs ss" }, () => {
  for (const declared of [true, false]) {
    const name = declared ? "declared" : "undeclared";

    test(`${name}: of ${CONNECTIONS} connections that are opened one by one each worker has as many`, async (t) => {
      const service = await startListening(t, { listen: "round-robin", declared }, { workers: WORKERS });
      await service.untilReady();
      await untilWhole(service, 1, WORKERS);
      const slots: number[] = [];
      for (let opened = 0; opened < CONNECTIONS; opened++) {
        const agent = new http.Agent({ keepAlive: true });
        t.after(() => agent.destroy());
        slots.push(await slotOf(service, agent));
      }
      const counts = Array.from({ length: WORKERS }, (_, slot) => slots.filter((each) => each === slot).length);
      assert.deepEqual(
        counts,
        Array.from({ length: WORKERS }, () => CONNECTIONS / WORKERS),
      );
    });

    test(`${name}: kill -9 of all workers at once costs what they had accepted`, async (t) => {
      const { service, load } = await startLoaded(t, 3, declared);
      const owned = await killAll(service);
      await untilServed(load);
      await assertExplained(load, owned);
    });
  }

  test("kill -9 of the only worker, twice, costs what it had accepted", async (t) => {
    const { service, load } = await startLoaded(t, 1);
    const owned = new Set<number>();
    for (let kills = 0; kills < 2; kills++) {
      for (const port of await killAll(service)) owned.add(port);
      await untilServed(load);
    }
    await assertExplained(load, owned);
  });

  test("an uncaught exception in the only worker costs the request that threw", async (t) => {
    const { service, load } = await startLoaded(t, 1);
    const [pid] = await service.workerPids();
    assert.equal((await ask(service.url("/throw"))).status, 500);
    await until("it is replaced", async () => !(await service.workerPids()).includes(pid as number));
    await untilServed(load);
    await assertExplained(load, new Set());
  });

  test("a stop serves what waits in the master, also when the worker is so busy that it hears of it too late", async (t) => {
    const flags = ["--listen", "round-robin", "--heartbeat-timeout", HEARTBEAT_TIMEOUT, "--stop-timeout", "60s"];
    const service = await startService(t, { app: "sticky.mjs", workers: 1, flags });
    await service.untilReady();
    const burning = ask(service.url(`/burn?ms=${BURN_MS}`));
    await until("the worker is busy", () => service.output().includes("burning"));
    const waiting = Promise.all(Array.from({ length: CLIENTS }, () => ask(service.url("/"))));
    await until("the master has them in hand", () => connectionsOf(service.pid, service.appPort) === CLIENTS);
    service.signal("SIGTERM");
    for (const { status } of [await burning, ...(await waiting)]) assert.equal(status, 200);
    assert.equal((await service.exited()).code, 0, service.output());
  });

  test(`a stop serves ${CROWD} connections that wait for one worker, and ends it in time`, async (t) => {
    const flags = ["--heartbeat-timeout", "10m", "--stop-timeout", "60s"];
    const service = await startListening(t, { listen: "round-robin", declared: true }, { workers: 1, flags });
    await service.untilReady();
    const [busy] = (await service.workerPids()) as [number];
    kill(busy, "SIGSTOP");
    t.after(() => kill(busy, "SIGCONT"));
    await until("it stands still", () => isStopped(busy));
    const patient = { timeout: DEADLINE_MS * 4 };
    const waiting = Promise.all(Array.from({ length: CROWD }, () => ask(service.url("/"), false, patient)));
    await until("the master has them in hand", () => connectionsOf(service.pid, service.appPort) === CROWD);
    service.signal("SIGTERM");
    await until("the master stops", () => service.hasLogged(/SIGTERM|^stopping/));
    kill(busy, "SIGCONT");
    for (const { status } of await waiting) assert.equal(status, 200);
    assert.equal((await service.exited()).code, 0, service.output());
  });

  test("a worker that stands still holds up one connection, and that one for a while", async (t) => {
    const flags = ["--heartbeat-timeout", "10m"];
    const service = await startListening(t, { listen: "round-robin", declared: true }, { workers: WORKERS, flags });
    await service.untilReady();
    await untilWhole(service, 1, WORKERS);
    const [victim] = (await service.workerPids()) as [number];
    kill(victim, "SIGSTOP");
    t.after(() => kill(victim, "SIGCONT"));
    await until("it stands still", () => isStopped(victim));
    const answeredAt: number[] = [];
    const asked = Array.from({ length: BURST }, async () => {
      const { body } = await ask(service.url("/"));
      answeredAt.push(performance.now());
      return (JSON.parse(body) as Answered).pid;
    });
    await until("all but one are answered", () => answeredAt.length >= BURST - 1);
    await until("the master has one in hand", () => connectionsOf(service.pid, service.appPort) === 1);
    assert.ok(!(await Promise.all(asked)).includes(victim));
    const [last, before] = answeredAt.toReversed() as [number, number];
    assert.ok(last - before > GAP_MS, `the last one came ${last - before} ms after the others`);
    // Known to stand still: nobody waits for it any more.
    const startedAt = performance.now();
    for (let turns = 0; turns < WORKERS; turns++) await slotOf(service, false);
    assert.ok(performance.now() - startedAt < GAP_MS);
    kill(victim, "SIGCONT");
    await until("it has its turn again", async () => (JSON.parse((await ask(service.url("/"))).body) as Answered).pid === victim);
  });
});
