// Storms of signals and kills end in the desired state, and a stop in the midst of one ends in its budget. About two minutes.
// ROLLCALL_STORM_SECONDS sets how long the storm lasts, ROLLCALL_SEED repeats one.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startCasualties } from "../helpers/casualties.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import { type Chance, startChance } from "../helpers/seed.ts";
import { type Service, startService } from "../helpers/service.ts";
import { GROUNDS, type Ground, startUnderLoad, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";
import { hasSs, stopAndList } from "../helpers/victims.ts";
import { hasWrk } from "../helpers/wrk.ts";

const STORM_MS = Number(process.env.ROLLCALL_STORM_SECONDS ?? 60) * 1_000;
const STOPS = 5;
const STOP_TIMEOUT_MS = 9_000;
const MOST_WORKERS = 4;
const FLAGS = ["--backoff-delay", "50ms", "--backoff-limit", "200ms", "--max-restarts", "1000000"];

test("1,000 HUPs in a second are one reload that runs and one that is queued", async (t) => {
  // Two workers, one after the other: a reload lasts longer than the storm, whatever the machine.
  const service = await startService(t, { app: "stop-boot.mjs", workers: 2, env: { BOOT_MS: "1500" } });
  await service.untilReady();
  const startedAt = performance.now();
  for (let sent = 1; sent <= 1_000; sent++) {
    service.signal("SIGHUP");
    if (performance.now() - startedAt < sent) await sleep(1);
  }
  t.diagnostic(`sent in ${Math.round(performance.now() - startedAt)} ms`);
  await untilWhole(service, 3, 2);
  assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="reload"}'), 4);
  assert.equal(await service.metric('rollcall_reloads_total{result="success"}'), 2);
  t.diagnostic(
    `${await service.metric('rollcall_signals_total{signal="SIGHUP"}')} of them reached the master: the kernel makes one of many`,
  );
});

type Blow = "SIGHUP" | "SIGTTIN" | "SIGTTOU" | "kill";

/** One blow at random; a kill is told before it happens. */
async function strike(service: Service, chance: Chance, onDeath: (pid: number) => Promise<void>): Promise<void> {
  const { workersTarget } = await service.status();
  const blows: Blow[] = ["SIGHUP", "SIGHUP", "kill", "SIGTTOU", ...(workersTarget < MOST_WORKERS ? (["SIGTTIN", "SIGTTIN"] as const) : [])];
  const blow = chance.pick(blows);
  if (blow !== "kill") return service.signal(blow);
  const pids = await service.workerPids();
  // The last one would take the service with it, for a moment, and that is not what is tested.
  if (pids.length < 2) return;
  const pid = chance.pick(pids);
  await onDeath(pid);
  kill(pid);
}

describe("a storm of HUP, TTIN, TTOU and kills at random", { skip: !(hasWrk && hasSs) && "needs wrk and ss" }, () => {
  const grounds = GROUNDS.filter(({ listen, declared }) => listen === "paired" || (listen === "round-robin" && declared));
  for (const ground of grounds) {
    test(`${ground.name}: ${STORM_MS / 1_000} s of it end in the desired state, and cost what the victims had accepted`, async (t) => {
      const chance = startChance(t);
      const service = await startUnderLoad(t, ground, { workers: 3, flags: FLAGS });
      await service.untilReady();
      const casualties = startCasualties(t, service);
      await casualties.untilServed();
      const endsAt = performance.now() + STORM_MS;
      while (performance.now() < endsAt) {
        await strike(service, chance, async (pid) => casualties.note(await stopAndList(pid, service.appPort)));
        // The time between two blows is part of the storm.
        await sleep(chance.below(400));
      }
      await until(
        "the storm has settled",
        async () => {
          const { workers, workersTarget, workersReady, reloading } = await service.status();
          const isSettled = workers.length === workersTarget && workers.every(({ processes }) => processes.length === 1);
          return isSettled && workersReady === workersTarget && !reloading;
        },
        60_000,
      );
      await casualties.assertExplained();
      const { generation, workersTarget } = await service.status();
      service.signal("SIGHUP");
      await untilWhole(service, generation + 1, workersTarget);
      assert.equal(await service.probe("ready"), 200);
      assert.doesNotMatch(service.output(), /MaxListenersExceededWarning|internal error/);
    });
  }

  test(`TERM in its midst ends within the budget, with 0 and nothing left, ${STOPS} times`, async (t) => {
    const chance = startChance(t);
    for (let stops = 0; stops < STOPS; stops++) await stopInStorm(t, chance, chance.pick(GROUNDS));
  });
});

async function stopInStorm(t: TestContext, chance: Chance, ground: Ground): Promise<void> {
  const flags = [...FLAGS, "--stop-timeout", `${STOP_TIMEOUT_MS}ms`];
  const service = await startUnderLoad(t, ground, { workers: 3, flags });
  await service.untilReady();
  const seen = new Set<number>();
  for (let blows = 5 + chance.below(10); blows > 0; blows--) {
    await strike(service, chance, async (pid) => void seen.add(pid));
    for (const pid of await service.workerPids()) seen.add(pid);
    await sleep(chance.below(200));
  }
  const pids = childrenOf(service.pid);
  service.signal("SIGTERM");
  const exited = service.exited(STOP_TIMEOUT_MS + 5_000);
  // It goes on: nothing of this may start anything any more, or shorten the stop.
  let isOver = false;
  void exited.finally(() => (isOver = true)).catch(() => {});
  while (!isOver) {
    const blow = chance.pick<Blow>(["SIGHUP", "SIGTTIN", "SIGTTOU", "kill"]);
    if (blow === "kill") kill(chance.pick(pids));
    else kill(service.pid, blow);
    await sleep(chance.below(20));
  }
  const { code, afterMs } = await exited;
  t.diagnostic(`${ground.name}: exit ${code} after ${Math.round(afterMs)} ms`);
  assert.equal(code, 0, service.output());
  for (const pid of pids) seen.add(pid);
  assert.deepEqual([...seen].filter(isAlive), []);
}
