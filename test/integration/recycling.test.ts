// Recycling of real workers: by memory before it hurts, by requests, by lifetime; one at a time, nothing lost, ready all the time.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { pidOf, replaced, steer } from "../fixtures/apps/roll-steering.ts";
import { startLoad } from "../helpers/load.ts";
import { isAlive, kill } from "../helpers/processes.ts";
import { watchReadiness } from "../helpers/readiness.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

// Idle clients that are late on a slow machine must not be taken for lost ones.
const FLAGS = ["--drain-idle", "1s", "--stop-timeout", "4s", "--roll-call-period", "10m"];
/** Each recycle takes a heartbeat, a boot and a drain. */
const LONG_MS = 60_000;

const started = (service: Service, reason: string): Promise<number> =>
  service.metric(`rollcall_process_starts_total{role="worker",reason="${reason}"}`);

/** No request failed, readiness never left, and every worker ended as it was asked to. */
async function assertNothingHappened(t: TestContext, service: Service, meanwhile: () => Promise<void>): Promise<void> {
  const load = startLoad(t, service.url("/"));
  const readiness = watchReadiness(t, service);
  await meanwhile();
  await load.stop();
  assert.deepEqual(load.failures(), []);
  assert.ok(load.succeeded() > 20, "the load ran");
  assert.deepEqual(await readiness.stop(), []);
  for (const outcome of ["crash", "boot_failure", "killed", "oom"])
    assert.equal(await service.metric(`rollcall_process_exits_total{role="worker",outcome="${outcome}"}`), 0, outcome);
  assert.equal(await service.metric('rollcall_process_restarts_total{role="worker"}'), 0);
  assert.equal((await service.status()).generation, 1);
}

describe("recycling", { concurrency: 2 }, () => {
  test("replaces a leaking worker by its memory before that hurts", async (t) => {
    const flags = [...FLAGS, "--max-memory", "120MiB", "--backoff-reset", "1s"];
    const service = await startService(t, { app: "recycle-leaking.mjs", workers: 2, flags });
    await service.untilReady();
    let largest = 0;
    await assertNothingHappened(t, service, async () => {
      await until(
        "both slots were recycled",
        async () => {
          const { workers } = await service.status();
          for (const { processes } of workers) for (const { residentBytes } of processes) largest = Math.max(largest, residentBytes ?? 0);
          return new Set(service.log().flatMap(({ reason, slot }) => (reason === "recycle_memory" ? [slot] : []))).size === 2;
        },
        LONG_MS,
      );
    });
    // What comes in until the next heartbeat, and while the successor boots, is on top.
    assert.ok(largest > 100 * 2 ** 20 && largest < 400 * 2 ** 20, `the largest had ${Math.round(largest / 2 ** 20)} MiB`);
  });

  test("warns of a memory limit that is too small, and starts workers no faster than the backoff", async (t) => {
    const backoff = ["--backoff-delay", "200ms", "--backoff-limit", "1s", "--backoff-jitter", "0"];
    const flags = [...FLAGS, ...backoff, "--max-memory", "100MiB"];
    const service = await startService(t, { app: "recycle-leaking.mjs", workers: 1, flags, env: { LEAK_AT_ONCE: "100" } });
    await service.untilReady();
    await assertNothingHappened(t, service, async () => {
      await until("it was recycled four times", async () => (await started(service, "recycle_memory")) >= 4, LONG_MS);
    });
    const warnings = service.log().filter(({ level, msg }) => level === "warn" && /the limit is too small, or it leaks fast/.test(msg));
    assert.deepEqual(
      warnings.slice(0, 4).map(({ delayMs }) => delayMs),
      [0, 200, 400, 800],
    );
  });

  for (const [name, reason, flags] of [
    ["max-requests", "recycle_requests", ["--max-requests", "50"]],
    ["max-lifetime", "recycle_lifetime", ["--max-lifetime", "1s"]],
    ["max-requests and surge 0", "recycle_requests", ["--max-requests", "50", "--surge", "0"]],
    ["max-requests on held sockets", "recycle_requests", ["--max-requests", "50", "--listen", "paired"]],
  ] as const) {
    test(`replaces workers by ${name} again and again, and loses nothing`, async (t) => {
      const service = await startService(t, { app: "stop-generation.mjs", workers: 2, flags: [...FLAGS, ...flags] });
      await service.untilReady();
      await assertNothingHappened(t, service, async () => {
        await until("four were recycled", async () => (await started(service, reason)) >= 4, LONG_MS);
      });
      const slots = service.log().filter((line) => line.reason === reason);
      assert.ok([0, 1].every((index) => slots.filter(({ slot }) => slot === index).length >= 1));
    });
  }
});

describe("a recycle that is disturbed", { concurrency: 2 }, () => {
  // Long enough to steer the app before the first successor starts.
  const LIFETIME = ["--max-lifetime", "3s", "--backoff-delay", "50ms", "--backoff-limit", "200ms"];

  test("keeps the old worker when its successor cannot boot, and tries again until it can", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { app: "roll-steered.mjs", workers: 1, env: steering.env, flags: [...FLAGS, ...LIFETIME] });
    await service.untilReady();
    const old = await pidOf(service, 0);
    steering.on("down", 0);
    const failed = 'rollcall_process_exits_total{role="worker",outcome="boot_failure"}';
    await until("three successors failed", async () => (await service.metric(failed)) >= 3, LONG_MS);
    assert.equal(await pidOf(service, 0), old);
    assert.equal(await service.probe("ready"), 200);
    assert.equal((await service.status()).workers[0]?.failures, 0);
    steering.off("down", 0);
    await replaced(service, 0, old);
    assert.equal(await service.metric('rollcall_process_restarts_total{role="worker"}'), 0);
  });

  test("lets the successor take the slot of an old worker that is killed meanwhile", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { app: "roll-steered.mjs", workers: 1, env: steering.env, flags: [...FLAGS, ...LIFETIME] });
    await service.untilReady();
    const old = await pidOf(service, 0);
    steering.on("wait", 0);
    const successor = await until("the successor starts", async () => startingIn(service));
    kill(old);
    await until("the master has seen it", async () => (await service.status()).workers[0]?.processes.length === 1);
    steering.off("wait", 0);
    await until("the successor serves", async () => (await pidOf(service, 0)) === successor);
    assert.equal(await started(service, "crash"), 0);
  });

  test("gives way to a reload", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { app: "roll-steered.mjs", workers: 1, env: steering.env, flags: [...FLAGS, ...LIFETIME] });
    await service.untilReady();
    steering.on("wait", 0);
    const successor = await until("the successor starts", async () => startingIn(service));
    service.signal("SIGHUP");
    await until("another one starts", async () => ((await startingIn(service)) ?? successor) !== successor);
    steering.off("wait", 0);
    await until("the reload has ended", async () => (await service.metric('rollcall_reloads_total{result="success"}')) === 1);
    await until("the first successor is gone", () => !isAlive(successor));
    assert.equal(await service.metric('rollcall_reloads_total{result="failure"}'), 0);
    assert.equal((await service.status()).generation, 2);
  });
});

async function startingIn(service: Service): Promise<number | null | undefined> {
  return (await service.status()).workers[0]?.processes.find((each) => each.state === "starting")?.pid;
}
