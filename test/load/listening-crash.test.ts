// A crash costs only what that worker had accepted: nobody hangs, the queues are served by others, nothing leaks in the master.
// One to two minutes for each test with kill -9, less for the others. ROLLCALL_LOAD_KILLS=5 makes it shorter.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { type Casualties, startCasualties } from "../helpers/casualties.ts";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import { startChance } from "../helpers/seed.ts";
import type { Service } from "../helpers/service.ts";
import { GROUNDS, type Ground, startListening, startUnderLoad, untilAllAnswer, untilWhole, watchRequests } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";
import { hasSs, ownedBy, stopAndList, untilOneStops } from "../helpers/victims.ts";
import { hasWrk } from "../helpers/wrk.ts";

const KILLS = Number(process.env.ROLLCALL_LOAD_KILLS ?? 50);
/** Of exits and of exceptions: each takes a worker away as a kill does. */
const FAULTS = Math.min(10, KILLS);
const WORKERS = 3;
/** Crashes one after the other are what is tested: no slot may rest for long. */
const FLAGS = ["--backoff-delay", "100ms", "--backoff-limit", "300ms", "--max-restarts", "1000000"];

const fds = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

interface Scene {
  readonly service: Service;
  readonly casualties: Casualties;
  untilEnded(count: number): Promise<void>;
  assertNothingLeaked(): Promise<void>;
}

async function setScene(t: TestContext, ground: Ground, flags: readonly string[] = []): Promise<Scene> {
  const service = await startUnderLoad(t, ground, { workers: WORKERS, flags: [...FLAGS, ...flags] });
  await service.untilReady();
  await untilWhole(service, 1, WORKERS);
  await untilAllAnswer(service, WORKERS);
  const before = fds(service.pid);
  const ended = async (outcome: string): Promise<number> =>
    service.metric(`rollcall_process_exits_total{role="worker",outcome="${outcome}"}`);
  return {
    service,
    casualties: startCasualties(t, service),
    untilEnded: async (count) => {
      await until("the master knows", async () => (await ended("crash")) + (await ended("killed")) >= count);
      await untilWhole(service, 1, WORKERS);
    },
    assertNothingLeaked: async () => {
      await until(`the master has ${before} descriptors again, not ${fds(service.pid)}`, () => fds(service.pid) <= before);
    },
  };
}

describe("under load", { skip: !(hasWrk && hasSs) && "needs wrk and ss" }, () => {
  for (const ground of GROUNDS) {
    test(`${ground.name}: kill -9 ${KILLS} times costs what the victims had accepted, and leaks nothing`, async (t) => {
      const chance = startChance(t);
      const { service, casualties, untilEnded, assertNothingLeaked } = await setScene(t, ground);
      for (let kills = 1; kills <= KILLS; kills++) {
        await casualties.untilServed();
        const pid = chance.pick(await service.workerPids());
        casualties.note(await stopAndList(pid, service.appPort));
        kill(pid);
        await untilEnded(kills);
      }
      await casualties.assertExplained();
      await assertNothingLeaked();
    });
  }

  for (const ground of GROUNDS.filter(({ declared }) => declared)) {
    test(`${ground.name}: process.exit() in a handler ${FAULTS} times costs what that worker had accepted, and leaks nothing`, async (t) => {
      const { service, casualties, untilEnded, assertNothingLeaked } = await setScene(t, ground);
      for (let exits = 1; exits <= FAULTS; exits++) {
        await casualties.untilServed();
        // The request is the one that is not counted: its connection is the victim's too.
        const asked = ask(service.url("/exit")).catch(() => {});
        const pid = await untilOneStops(service.pid);
        casualties.note(ownedBy(pid, service.appPort));
        kill(pid, "SIGCONT");
        await untilEnded(exits);
        await asked;
      }
      await casualties.assertExplained();
      await assertNothingLeaked();
    });

    test(`${ground.name}: an uncaught exception ${FAULTS} times costs the request that threw, and leaks nothing`, async (t) => {
      const { service, casualties, untilEnded, assertNothingLeaked } = await setScene(t, ground, ["--stop-timeout", "5s"]);
      const throwing: Promise<number>[] = [];
      for (let faults = 1; faults <= FAULTS; faults++) {
        await casualties.untilServed();
        throwing.push(ask(service.url("/throw")).then(({ status }) => status));
        const starts = 'rollcall_process_starts_total{role="worker",reason="crash"}';
        await until(
          "it is replaced",
          async () => (await service.metric(starts)) === faults && (await service.status()).workersReady === WORKERS,
        );
      }
      await untilEnded(FAULTS);
      assert.deepEqual(new Set(await Promise.all(throwing)), new Set([500]));
      await casualties.assertExplained();
      await assertNothingLeaked();
    });
  }

  test("paired: both workers of a queue at once, and all later connections are served at once", async (t) => {
    const service = await startListening(
      t,
      { listen: "paired", declared: true },
      { workers: 4, flags: ["--backoff-delay", "5s", "--max-restarts", "20"] },
    );
    await service.untilReady();
    // Twice in a row: the first rebirth comes at once, the second one after the backoff.
    for (let deaths = 0; deaths < 2; deaths++) {
      await untilWhole(service, 1, 4);
      const pids = await service.workerPids();
      for (const slot of [0, 3]) kill(pids[slot] as number);
      await until("the master knows", async () => (await service.workerPids()).filter((pid) => pids.includes(pid)).length === 2);
    }
    assert.equal((await service.workerPids()).length, 2, "two are resting");
    const load = watchRequests(t, service.url("/"), 4);
    await until("400 are served", () => load.succeeded() > 400);
    await load.stop();
    assert.deepEqual(load.failures(), []);
    assert.ok(load.slowestMs() < 1_000, `slowest answer: ${load.slowestMs()} ms`);
  });
});
