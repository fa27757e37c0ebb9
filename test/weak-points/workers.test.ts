// Known weak points of the classic multi-process servers, by their numbers in docs/weak-points.md: what becomes of workers that crash, hang, and come late.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, pidOf, steer } from "../fixtures/apps/roll-steering.ts";
import { startLoad } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import { runRollcall, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const APP = { app: "roll-steered.mjs", workers: 2 } as const;
const QUICK = ["--backoff-delay", "50ms", "--backoff-limit", "100ms", "--roll-call-period", "10m", "--drain-idle", "50ms"];
const ENDLESS = ["--max-restarts", "100000"];
delete process.env.NODE_ENV;
delete process.env.EGG_SERVER_ENV;

describe("weak points of workers", { concurrency: 2 }, () => {
  test("W4: a worker whose dependency is down while it starts again comes back when that is back", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, ...ENDLESS] });
    await service.untilReady();
    steering.on("down", 0);
    kill(await pidOf(service, 0));
    const failures = 'rollcall_process_exits_total{role="worker",outcome="boot_failure"}';
    await until("it has failed three times", async () => (await service.metric(failures)) >= 3);
    steering.off("down", 0);
    await until("there are two again", async () => (await service.workerPids()).length === 2);
  });

  test("W4b: both workers lost to a dependency: not ready at once, and ready again when it is back", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, ...ENDLESS] });
    await service.untilReady();
    steering.on("down", 0, 1);
    for (const pid of await service.workerPids()) kill(pid);
    await until("it is not ready", async () => (await service.probe("ready")) === 500);
    assert.equal(await service.probe("live"), 200);
    const failures = 'rollcall_process_exits_total{role="worker",outcome="boot_failure"}';
    await until("they have failed", async () => (await service.metric(failures)) >= 4);
    steering.off("down", 0, 1);
    await until("it is ready again", async () => (await service.probe("ready")) === 200);
    await until("there are two again", async () => (await service.workerPids()).length === 2);
  });

  test("W5: a crash storm is met with backoff, and ends with an exit code of its own and the reason", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, "--max-restarts", "4"] });
    await service.untilReady();
    steering.on("die", 0, 1);
    assert.equal((await service.exited()).code, 6, service.output());
    assert.ok(service.hasLogged(/^crash loop: every worker failed 4 times in a row/));
    const lives = service.log().filter(({ msg }) => / ready in \d+ ms, pid /.test(msg)).length;
    // The first two, and a few for each slot: the one that failed less often meanwhile goes on until both have.
    assert.ok(lives <= 16, `${lives} lives`);
    assert.ok(service.log().filter(({ msg }) => /^worker \d starts again in \d+ ms/.test(msg)).length >= 2);
  });

  test("W6: without any NODE_ENV, both workers that crash are replaced", async (t) => {
    const service = await startService(t, { ...APP, env: steer(t).env, flags: QUICK });
    await service.untilReady();
    const before = await service.workerPids();
    for (const pid of before) kill(pid);
    await until("two others serve", async () => {
      const now = await service.workerPids();
      return now.length === 2 && !now.some((pid) => before.includes(pid));
    });
    assert.ok(Number(await ask(service)) > 0);
  });

  test("W7: a hung worker is replaced, and nobody waits for it: 20 of 20 requests are answered meanwhile", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, "--heartbeat-timeout", "4s"] });
    await service.untilReady();
    const [hung, other] = [await pidOf(service, 0), await pidOf(service, 1)];
    steering.on("block", 0);
    await until("it is silent", async () => Number((await service.status()).workers[0]?.processes[0]?.heartbeatAgeSeconds) > 1.5);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(service)));
    assert.ok(
      answers.every((pid) => pid !== String(hung)),
      `${answers.join()}; ${hung} hangs`,
    );
    const replacements = 'rollcall_process_starts_total{role="worker",reason="unresponsive"}';
    await until("another one is started in its place", async () => (await service.metric(replacements)) >= 1);
    steering.off("block", 0);
    await until("that serves", async () => (await pidOf(service, 0)) !== hung);
    assert.equal(await pidOf(service, 1), other);
  });

  test("W8: six workers leave one after the other under 16 clients: no request fails or hangs, nor does SIGTERM to the workers harm any", async (t) => {
    // On a busy machine a client takes its time between two requests: its connection must still be there.
    const flags = ["--drain-idle", "30s", "--stop-timeout", "60s", "--roll-call-period", "10m"];
    const service = await startService(t, { app: "http.mjs", workers: 2, flags });
    await service.untilReady();
    const load = startLoad(t, service.url("/"), 16);
    await until("the load runs", () => load.succeeded() > 50);
    for (const pid of await service.workerPids()) kill(pid, "SIGTERM");
    for (let turn = 0; turn < 6; turn++) {
      const before = load.succeeded();
      const { code, stderr } = await runRollcall(t, ["restart", String(turn % 2), "--control", service.control]);
      assert.equal(code, 0, stderr);
      await until("the load goes on", () => load.succeeded() > before + 16);
    }
    await load.stop();
    assert.deepEqual(load.failures(), []);
    assert.equal(await service.metric('rollcall_process_exits_total{role="worker",outcome="killed"}'), 0);
  });

  test("W8: six workers killed by SIGKILL under 16 clients: whoever was not just being answered by them is served, and nobody hangs", async (t) => {
    const service = await startService(t, { app: "http.mjs", workers: 2, flags: [...QUICK, ...ENDLESS] });
    await service.untilReady();
    const load = startLoad(t, service.url("/"), 16);
    await until("the load runs", () => load.succeeded() > 50);
    for (let turn = 0; turn < 6; turn++) {
      const victim = (await service.workerPids())[turn % 2] as number;
      const before = load.succeeded();
      kill(victim);
      await until("it is replaced", async () => {
        const now = await service.workerPids();
        return now.length === 2 && !now.includes(victim);
      });
      await until("the load goes on", () => load.succeeded() > before + 16);
    }
    await load.stop();
    t.diagnostic(`${load.failures().length} requests cut off, ${load.succeeded()} answered`);
    // What a killed process had accepted is cut off; a client has one request at a time.
    assert.ok(load.failures().length <= 6 * 16, load.failures().join("\n"));
    assert.deepEqual(
      load.failures().filter((failure) => /no answer|ECONNREFUSED/.test(failure)),
      [],
    );
  });

  test("W18: a service whose second worker boots late is ready when that is", async (t) => {
    const steering = steer(t);
    steering.on("wait", 1);
    const service = await startService(t, { ...APP, env: steering.env, flags: QUICK });
    await until("the first one serves", async () => Number(await ask(service)) > 0);
    await until("the probes answer", async () => (await service.probe("live")) === 200);
    assert.equal(await service.probe("ready"), 500);
    steering.off("wait", 1);
    await service.untilReady();
    assert.equal((await service.workerPids()).length, 2);
  });
});
