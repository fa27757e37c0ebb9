// The way from the master to a worker: who dies, stands still, is late or has no descriptor for a connection loses it to another worker; nobody hangs, nobody
// is served twice, nothing is left in the master.
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connectionsOf, fdsOf } from "../helpers/listeners.ts";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import type { Service } from "../helpers/service.ts";
import { byAddress, clientOf, type Served, servedTo, servedToAll, startSticky } from "../helpers/sticky.ts";
import { addressOf, untilWhole } from "../helpers/strategies.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

const WORKERS = 3;
const CLIENTS = 30;

/** Everybody was served, and nobody twice. */
async function assertAsked(service: Service, path: string, times: number): Promise<void> {
  const asked = (): number => service.output().split(`asked ${path}\n`).length - 1;
  await until("the app has said so", () => asked() >= times);
  assert.equal(asked(), times);
}

describe("a connection", { concurrency: 2, skip: process.platform !== "linux" && "needs /proc" }, () => {
  test("for a worker that stands still goes to another one, once; when it goes on, its clients are its own again", async (t) => {
    const service = await startSticky(t, { workers: WORKERS, flags: ["--heartbeat-timeout", "10m"] });
    await untilWhole(service, 1, WORKERS);
    const served = await servedToAll(service, byAddress, CLIENTS);
    const index = clientOf(served, 1);
    const pid = served[index]?.pid as number;
    kill(pid, "SIGSTOP");
    t.after(() => kill(pid, "SIGCONT"));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1, localAddress: addressOf(index) });
    t.after(() => agent.destroy());
    assert.notEqual((JSON.parse((await ask(service.url("/"), agent)).body) as Served).slot, 1);
    const path = "/while-it-stands";
    const asked = await Promise.all(Array.from({ length: 5 }, () => servedTo(service, byAddress(index), path)));
    assert.equal(new Set(asked.map(({ slot }) => slot)).size, 1, "the next one of this client's");
    assert.notEqual(asked[0]?.slot, 1);
    // Known to stand: no wait for those who come now.
    assert.notEqual((await servedTo(service, byAddress(index))).slot, 1);
    kill(pid, "SIGCONT");
    await until("the client is back", async () => (await servedTo(service, byAddress(index))).pid === pid);
    await assertAsked(service, path, 5);
    await until("it has let go of what somebody else has been given", () => connectionsOf(pid, service.appPort) === 0);
  });

  test("for the only worker, busy for long, waits for it", async (t) => {
    const service = await startSticky(t, { workers: 1, flags: ["--heartbeat-timeout", "10m"] });
    const burning = servedTo(service, byAddress(0), "/burn?ms=9000");
    await until("it burns", () => service.output().includes("burning"));
    const waiting = await Promise.all(Array.from({ length: 5 }, (_, index) => servedTo(service, byAddress(index), "/waits")));
    assert.deepEqual(new Set(waiting.map(({ slot }) => slot)), new Set([0]));
    await assertAsked(service, "/waits", 5);
    await burning;
  });

  test("for a worker that is killed while it stands still goes to others; the master keeps no descriptor", async (t) => {
    const service = await startSticky(t, { workers: WORKERS, flags: ["--backoff-delay", "100ms"] });
    await untilWhole(service, 1, WORKERS);
    const served = await servedToAll(service, byAddress, CLIENTS);
    const before = fdsOf(service.pid).length;
    for (let kills = 1; kills <= 3; kills++) {
      const index = clientOf(served, kills % WORKERS);
      const { pid } = await servedTo(service, byAddress(index));
      kill(pid, "SIGSTOP");
      await until("it stands still", () => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "latin1")));
      const asked = Array.from({ length: 10 }, () => servedTo(service, byAddress(index), `/kill-${kills}`));
      await until("the master has them in hand", () => connectionsOf(service.pid, service.appPort) === 10);
      kill(pid);
      for (const answer of await Promise.all(asked)) assert.notEqual(answer.pid, pid);
      await assertAsked(service, `/kill-${kills}`, 10);
      await until("the master knows", async () => {
        return (await service.metric('rollcall_process_exits_total{role="worker",outcome="killed"}')) >= kills;
      });
      await untilWhole(service, 1, WORKERS);
    }
    // What the master itself opens meanwhile is less than what would be left of the connections.
    await until("the master has let go of them", () => fdsOf(service.pid).length < before + 10);
  });

  test("for a worker without descriptors goes to another one", async (t) => {
    const hold = join(tmpdir(), `rollcall-descriptors-${process.pid}`);
    writeFileSync(hold, "");
    t.after(() => rmSync(hold, { force: true }));
    const wrapper = ["bash", "-c", 'ulimit -n 256; exec "$@"', "--"];
    const service = await startSticky(t, { app: "trouble-descriptors.mjs", workers: 2, wrapper });
    await untilWhole(service, 1, 2);
    const pidFor = async (index: number): Promise<string> => (await ask(service.url("/"), false, byAddress(index))).body;
    const first = await pidFor(0);
    assert.equal(new Set(await Promise.all(Array.from({ length: CLIENTS }, (_, index) => pidFor(index)))).size, 2);
    const exhausting = ask(service.url(`/exhaust?hold=${hold}`), false, { ...byAddress(0), timeout: DEADLINE_MS * 4 });
    await until("the worker has none left", () => fdsOf(Number(first)).length >= 256);
    for (let asked = 0; asked < 10; asked++) assert.notEqual(await pidFor(0), first);
    rmSync(hold);
    assert.ok(Number((await exhausting).body) > 50);
    await until("its clients are its own again", async () => (await pidFor(0)) === first);
  });

  test("that comes while no worker is ready waits for one", async (t) => {
    const service = await startSticky(t, { workers: 1 });
    const { pid } = await servedTo(service, byAddress(0));
    kill(pid);
    await until("it is gone", async () => (await service.status()).workersReady === 0 || (await service.workerPids())[0] !== pid);
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => servedTo(service, { localAddress: addressOf(index) })));
    for (const answer of answers) assert.notEqual(answer.pid, pid);
  });
});
