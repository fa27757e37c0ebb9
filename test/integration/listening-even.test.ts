// Connections that stay are spread evenly where the kernel alone spreads them by chance, and nothing that stands still or dies meanwhile costs one of them.
import assert from "node:assert/strict";
import http from "node:http";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import type { Service } from "../helpers/service.ts";
import { GROUNDS, startListening, untilAllAnswer, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";
import { isStopped } from "../helpers/victims.ts";

const WORKERS = 4;
const CONNECTIONS = 16;
/** By chance one try in 70 is as even as that. */
const MOST_TRIES = 5;
const HELD = GROUNDS.filter(({ listen }) => listen === "paired" || listen === "per-worker" || listen === "shared");

/** Opens connections one by one, each answered before the next. @returns who answered on each, and what closes them all */
async function openAll(service: Service, count: number): Promise<{ readonly pids: readonly number[]; close(): void }> {
  const agents = Array.from({ length: count }, () => new http.Agent({ keepAlive: true }));
  const pids: number[] = [];
  for (const agent of agents) {
    const { status, body } = await ask(service.url("/"), agent, {});
    assert.equal(status, 200);
    pids.push((JSON.parse(body) as { pid: number }).pid);
  }
  const close = (): void => {
    for (const agent of agents) agent.destroy();
  };
  return { pids, close };
}

async function start(t: TestContext, ground: (typeof GROUNDS)[number]): Promise<Service> {
  const service = await startListening(t, ground, { workers: WORKERS, flags: ["--heartbeat-timeout", "10m"] });
  await service.untilReady();
  await untilWhole(service, 1, WORKERS);
  // Each of them has its queues by now.
  await untilAllAnswer(service, WORKERS);
  return service;
}

describe("connections that stay", { concurrency: 2, skip: process.platform !== "linux" && "Linux only" }, () => {
  for (const ground of HELD)
    test(`${ground.name}: each of ${WORKERS} workers gets its part of ${CONNECTIONS}`, async (t) => {
      const service = await start(t, ground);
      let most = 0;
      for (let tries = 0; tries < MOST_TRIES && most !== CONNECTIONS / WORKERS; tries++) {
        const { pids, close } = await openAll(service, CONNECTIONS);
        most = Math.max(...[...Map.groupBy(pids, (pid) => pid).values()].map((own) => own.length));
        close();
      }
      assert.equal(most, CONNECTIONS / WORKERS);
      assert.ok((await service.metric("rollcall_connections_moved_total")) > 0);
    });

  const [paired] = HELD;
  assert.ok(paired !== undefined);

  test("are told from short ones, which stay where they are accepted", async (t) => {
    const service = await start(t, paired);
    const before = await service.metric("rollcall_connections_moved_total");
    const askSome = async (): Promise<void> => {
      for (let asked = 0; asked < 50; asked++) assert.equal((await ask(service.url("/"), false, {})).status, 200);
    };
    await Promise.all(Array.from({ length: 8 }, askSome));
    assert.equal(await service.metric("rollcall_connections_moved_total"), before);
  });

  test("are served by whoever accepts them while the master stands still", async (t) => {
    const service = await start(t, paired);
    kill(service.pid, "SIGSTOP");
    t.after(() => void kill(service.pid, "SIGCONT"));
    await until("it stands still", () => isStopped(service.pid));
    const { pids, close } = await openAll(service, CONNECTIONS);
    close();
    assert.equal(pids.length, CONNECTIONS);
  });

  test("are served by others while a worker stands still", async (t) => {
    const service = await start(t, paired);
    const [pid = 0] = await service.workerPids();
    kill(pid, "SIGSTOP");
    t.after(() => void kill(pid, "SIGCONT"));
    await until("it stands still", () => isStopped(pid));
    const { pids, close } = await openAll(service, CONNECTIONS);
    close();
    assert.ok(!pids.includes(pid));
  });
});
