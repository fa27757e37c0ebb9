// Every queue has somebody who accepts from it, as slots come and go: seen in the kernel, by which process has which socket.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { steer } from "../fixtures/apps/roll-steering.ts";
import { listenersOf, socketsOf } from "../helpers/listeners.ts";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { GROUNDS, startListening, untilAllAnswer, untilWhole, watchRequests } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

/** For each socket of the port, the slots whose ready worker has it; in the order in which the sockets were made, one string for each. */
async function holders(service: Service): Promise<readonly string[]> {
  const ready = (await service.status()).workers.flatMap(({ slot, processes }) =>
    processes.filter(({ state }) => state === "ready").map(({ pid }) => ({ slot, sockets: socketsOf(pid as number) })),
  );
  const inodes = listenersOf(service.appPort).map(({ inode }) => inode);
  return inodes
    .sort((a, b) => Number(a) - Number(b))
    .map((inode) =>
      ready
        .filter(({ sockets }) => sockets.has(inode))
        .map(({ slot }) => slot)
        .join(" and "),
    );
}

async function untilHeldBy(service: Service, expected: readonly string[]): Promise<void> {
  let last: readonly string[] = [];
  await until(`the queues belong to ${expected.join(", ")}`, async () => {
    last = await holders(service);
    return last.join() === expected.join();
  }).catch((error: Error) => assert.deepEqual(last, expected, error.message));
}

const PAIRS = ["0 and 3", "0 and 1", "1 and 2", "2 and 3"];

describe("queues", { concurrency: 2, skip: process.platform !== "linux" && "needs /proc" }, () => {
  test("paired: another worker adopts a queue that has lost both of its own, and gives it back", async (t) => {
    const flags = ["--backoff-delay", "3s"];
    const service = await startListening(t, { listen: "paired", declared: true }, { workers: 4, flags });
    await service.untilReady();
    await untilHeldBy(service, PAIRS);
    for (let deaths = 0; deaths < 2; deaths++) {
      await untilWhole(service, 1, 4);
      const pids = await service.workerPids();
      for (const slot of [0, 3]) kill(pids[slot] as number);
      await until("the master knows", async () => (await service.workerPids()).filter((pid) => pids.includes(pid)).length === 2);
    }
    // Slots 0 and 3 rest: the queue of slot 0 is adopted, the others have one worker left.
    await untilHeldBy(service, ["1", "1", "1 and 2", "2"]);
    await untilHeldBy(service, PAIRS);
    await untilAllAnswer(service, 4);
  });

  test("per-worker: a queue is adopted while its worker is away, and given back", async (t) => {
    const service = await startListening(t, { listen: "per-worker", declared: true }, { workers: 2, flags: ["--backoff-delay", "3s"] });
    await service.untilReady();
    await untilHeldBy(service, ["0", "1"]);
    for (let deaths = 0; deaths < 2; deaths++) {
      await untilWhole(service, 1, 2);
      const [pid] = await service.workerPids();
      kill(pid as number);
      await until("the master knows", async () => !(await service.workerPids()).includes(pid as number));
    }
    await untilHeldBy(service, ["1", "1"]);
    await untilHeldBy(service, ["0", "1"]);
  });

  test("the sockets that two lives of a slot bind in the same moment are both kept: nothing that waits in one is lost with its life", async (t) => {
    const steering = steer(t);
    const flags = ["--listen", "shared", "--drain-idle", "200ms", "--stop-timeout", "9s"];
    const service = await startService(t, { app: "roll-steered.mjs", workers: 1, declared: false, env: steering.env, flags });
    await service.untilReady();
    steering.on("stick", 1);
    const untilLives = (expected: string): Promise<unknown> =>
      until(`the lives of slot 1 are ${expected}`, async () => {
        const { processes = [] } = (await service.status()).workers[1] ?? {};
        return processes.map(({ state }) => state).join() === expected;
      });
    service.signal("SIGTTIN");
    await until("slot 1 is about to listen, and hears nothing", () => existsSync(join(steering.env.STEER, "stuck-1")));
    await untilLives("starting");
    service.signal("SIGTTOU");
    await untilLives("draining");
    service.signal("SIGTTIN");
    await untilLives("draining,starting");
    steering.off("stick", 1);
    await untilWhole(service, 1, 2);
    const held = socketsOf(service.pid);
    const sockets = listenersOf(service.appPort);
    assert.equal(sockets.length, 3);
    assert.deepEqual(
      sockets.filter(({ inode }) => !held.has(inode)),
      [],
    );
  });

  for (const { listen, declared, name } of GROUNDS.filter((ground) => ground.listen === "paired" || ground.listen === "round-robin")) {
    test(`${name}: the metrics tell how many connections wait, in all queues and in the master`, async (t) => {
      const service = await startListening(t, { listen, declared }, { workers: 2 });
      await service.untilReady();
      await untilWhole(service, 1, 2);
      const metric = `rollcall_accept_queue_length{port="${service.appPort}"}`;
      assert.equal(await service.metric(metric), 0);
      const pids = await service.workerPids();
      t.after(() => {
        for (const pid of pids) kill(pid, "SIGCONT");
      });
      for (const pid of pids) kill(pid, "SIGSTOP");
      const answers = Array.from({ length: 40 }, () => ask(service.url("/")));
      await until("all of them wait", async () => (await service.metric(metric)) === answers.length);
      for (const pid of pids) kill(pid, "SIGCONT");
      await Promise.all(answers);
      assert.equal(await service.metric(metric), 0);
    });
  }

  for (const listen of ["paired", "shared"] as const) {
    test(`${listen}: while a worker stands still, the others serve whatever comes to its queues`, async (t) => {
      const service = await startListening(t, { listen, declared: true }, { workers: 3 });
      await service.untilReady();
      await untilWhole(service, 1, 3);
      const [stuck] = (await service.workerPids()) as [number];
      kill(stuck, "SIGSTOP");
      t.after(() => kill(stuck, "SIGCONT"));
      // Of so many connections some come to every queue.
      const answers = await Promise.all(Array.from({ length: 100 }, () => ask(service.url("/"))));
      const pids = answers.map(({ body }) => (JSON.parse(body) as { pid: number }).pid);
      assert.equal(pids.includes(stuck), false);
      assert.equal((await service.workerPids()).includes(stuck), true, "and it was not replaced meanwhile");
    });
  }

  for (const declared of [true, false]) {
    test(`paired, ${declared ? "declared" : "undeclared"}: scaling moves them, and never leaves one to nobody`, async (t) => {
      const service = await startListening(t, { listen: "paired", declared }, { workers: 1 });
      await service.untilReady();
      await untilHeldBy(service, ["0"]);
      for (let workers = 2; workers <= 4; workers++) {
        service.signal("SIGTTIN");
        await untilWhole(service, 1, workers);
      }
      await until("each of 4 queues has its pair", async () => {
        const held = await holders(service);
        return held.length === 4 && [...held].sort().join() === [...PAIRS].sort().join();
      });
      for (let workers = 3; workers >= 1; workers--) {
        service.signal("SIGTTOU");
        await untilWhole(service, 1, workers);
      }
      await untilHeldBy(service, ["0", "0", "0", "0"]);
      assert.equal((await ask(service.url("/"))).status, 200);
    });

    test(`an app that looks whether its port is free first, ${declared ? "declared" : "undeclared"}: has all of its queues`, async (t) => {
      const service = await startListening(t, { listen: "paired", declared }, { workers: 3, app: "listen-reopens.mjs" });
      await service.untilReady();
      await until("every queue has a worker", async () => (await holders(service)).every((slots) => slots !== ""));
      await untilAllAnswer(service, 3);
      const load = watchRequests(t, service.url("/"), 4);
      await until("the load runs", () => load.succeeded() > 50);
      service.signal("SIGHUP");
      await untilWhole(service, 2, 3);
      await load.stop();
      assert.deepEqual(load.failures(), []);
      assert.ok((await holders(service)).every((slots) => slots !== ""));
      await untilAllAnswer(service, 3);
    });
  }
});
