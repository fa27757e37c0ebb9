// Restarts from outside: crashes, kills, backoff, crash loops, the agent, and crashes in the middle of a reload.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, pidOf, replaced, steer } from "../fixtures/apps/roll-steering.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const APP = { app: "roll-steered.mjs", workers: 2 } as const;
const QUICK = ["--backoff-delay", "50ms", "--backoff-limit", "100ms", "--stop-timeout", "4s"];
const NO_ROLL_CALL = ["--roll-call-period", "10m"];
delete process.env.NODE_ENV;

describe("restarts", { concurrency: 2 }, () => {
  test("retries a worker that fails while rebooting for ever, with growing delays, beside a good one", async (t) => {
    const steering = steer(t);
    const flags = ["--backoff-delay", "100ms", "--backoff-limit", "1500ms", "--backoff-jitter", "0", "--max-restarts", "2"];
    const service = await startService(t, { ...APP, env: steering.env, flags: [...flags, "--roll-call-period", "500ms"] });
    await service.untilReady();
    const good = await pidOf(service, 1);
    steering.on("down", 0);
    kill(await pidOf(service, 0));
    const backoff = 'rollcall_backoff_seconds{role="worker",slot="0"}';
    await until("the gauge shows a long delay", async () => (await service.metric(backoff)) > 0.8);
    await until("it failed seven times", () => delaysOf(service).length >= 6);
    assert.deepEqual(delaysOf(service).slice(0, 6), [100, 200, 400, 800, 1_500, 1_500]);
    assert.equal(await service.metric("rollcall_crash_loop"), 0);
    for (let i = 0; i < 20; i++) assert.equal(await ask(service), String(good));

    steering.off("down", 0);
    await until("the slot is back", async () => (await service.workerPids()).length === 2);
    assert.equal(await service.metric(backoff), 0);
    assert.equal(await pidOf(service, 1), good);
    assert.equal(await service.metric("rollcall_roll_call_strikes"), 0);
  });

  test("waits out a dependency that is down for all workers, with on-exception report", async (t) => {
    const steering = steer(t);
    const flags = ["--backoff-delay", "200ms", "--backoff-limit", "1s", "--roll-call-period", "300ms", "--on-exception", "report"];
    const service = await startService(t, { ...APP, env: steering.env, flags });
    await service.untilReady();
    steering.on("down", 0, 1);
    for (const pid of await service.workerPids()) kill(pid);
    // The dependency is away for some time: here, until each slot has failed four times.
    await until("both slots wait", async () => (await service.status()).workers.every((slot) => slot.failures >= 4));
    steering.off("down", 0, 1);
    await until("everybody is back", async () => (await service.workerPids()).length === 2);
    await until("it is live", async () => (await service.probe("live")) === 200);
    await service.untilReady();
  });

  for (const env of [undefined, "development", "production"]) {
    test(`restarts both workers when both crash, with NODE_ENV ${env ?? "unset"}`, async (t) => {
      const steering = steer(t);
      const flags = [...QUICK, ...NO_ROLL_CALL];
      const service = await startService(t, { ...APP, flags, env: { ...steering.env, ...(env === undefined ? {} : { NODE_ENV: env }) } });
      await service.untilReady();
      const before = await service.workerPids();
      for (const pid of before) kill(pid);
      await until("both are new", async () => {
        const now = await service.workerPids();
        return now.length === 2 && now.every((pid) => !before.includes(pid));
      });
      assert.equal(await service.metric('rollcall_process_restarts_total{role="worker"}'), 2);
      assert.equal(await service.metric('rollcall_process_exits_total{role="worker",outcome="killed"}'), 2);
      assert.match(await ask(service), /^\d+$/);
    });
  }

  test("replaces a killed worker at once; requests to the other one go on", async (t) => {
    const steering = steer(t);
    const flags = [...NO_ROLL_CALL, "--backoff-delay", "10m", "--backoff-limit", "10m"];
    const service = await startService(t, { ...APP, env: steering.env, flags });
    await service.untilReady();
    const [victim, other] = [await pidOf(service, 0), await pidOf(service, 1)];
    steering.on("wait", 0);
    kill(victim);
    await until("it is gone", () => !isAlive(victim));
    for (let i = 0; i < 50; i++) assert.equal(await ask(service), String(other));
    steering.off("wait", 0);
    await until("it is replaced without a backoff", async () => (await service.workerPids()).length === 2);
    assert.equal(await pidOf(service, 1), other);
    assert.deepEqual(delaysOf(service), []);
  });

  test("replaces a worker that leaves with exit 0 unasked, and counts it as a crash", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, ...NO_ROLL_CALL] });
    await service.untilReady();
    const before = await pidOf(service, 0);
    steering.on("leave", 0);
    await replaced(service, 0, before);
    assert.equal(await service.metric('rollcall_process_exits_total{role="worker",outcome="crash"}'), 1);
  });

  test("replaces workers with an uncaught exception at once, and they finish what they have in hand", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, ...NO_ROLL_CALL, "--drain-idle", "100ms"] });
    await service.untilReady();
    const [first, second] = [await pidOf(service, 0), await pidOf(service, 1)];
    const slow = fetch(service.url("/slow"), { headers: { connection: "close" } });
    await until("it is in flight", async () => /requests_in_flight\{slot="\d"\} 1/.test(await service.metrics()));
    steering.on("throw", 0, 1);
    await Promise.all([replaced(service, 0, first), replaced(service, 1, second)]);
    assert.equal(await (await slow).text(), "slow");
    await until("both old ones are gone", () => !isAlive(first) && !isAlive(second));
    // The process is gone a moment before the master hears of it.
    await until(
      "both are counted",
      async () => (await service.metric('rollcall_process_exits_total{role="worker",outcome="crash"}')) === 2,
    );
    assert.ok(service.hasLogged(/^worker 0: Error: thrown once/));
  });

  test("restarts a killed agent while the workers live on", async (t) => {
    const steering = steer(t);
    const flags = [...QUICK, ...NO_ROLL_CALL];
    const service = await startService(t, { ...APP, agent: "roll-steered.mjs", env: steering.env, flags });
    await service.untilReady();
    const workers = await service.workerPids();
    for (const round of [1, 2]) {
      const agent = await pidOf(service, "agent");
      kill(agent);
      await replaced(service, "agent", agent);
      assert.equal(await service.metric('rollcall_process_restarts_total{role="agent"}'), round);
    }
    assert.deepEqual(await service.workerPids(), workers);
  });

  for (const choice of ["survive", "restart"] as const) {
    test(`with agent-uncaught ${choice}, an uncaught exception ${choice === "survive" ? "is logged only" : "costs the agent"}`, async (t) => {
      const steering = steer(t);
      const flags = [...QUICK, ...NO_ROLL_CALL, "--agent-uncaught", choice];
      const service = await startService(t, { ...APP, agent: "roll-steered.mjs", env: steering.env, flags });
      await service.untilReady();
      const before = await pidOf(service, "agent");
      steering.on("throw", "agent");
      await until("it is logged", () => service.hasLogged(/^agent: .*thrown once/));
      if (choice === "restart") return replaced(service, "agent", before);
      const beats = 'rollcall_heartbeat_age_seconds{role="agent",slot="0"}';
      await until("it is older", async () => (await service.metric(beats)) > 0.2);
      await until("it beats again", async () => (await service.metric(beats)) < 0.2);
      assert.equal(await pidOf(service, "agent"), before);
    });
  }

  for (const [lost, verb] of [
    ["workers", "down"],
    ["workers", "die"],
    ["agent", "down"],
  ] as const) {
    test(`ends a crash loop of the ${lost} with exit 6 within max-restarts (${verb})`, async (t) => {
      const steering = steer(t);
      const agent = lost === "agent" ? { agent: "roll-steered.mjs" } : {};
      const flags = [...QUICK, ...NO_ROLL_CALL, "--max-restarts", "4"];
      const service = await startService(t, { ...APP, ...agent, env: steering.env, flags });
      await service.untilReady();
      const pids = lost === "agent" ? [await pidOf(service, "agent")] : await service.workerPids();
      steering.on(verb, ...(lost === "agent" ? (["agent"] as const) : [0, 1]));
      if (verb === "down") for (const pid of pids) kill(pid);
      assert.equal((await service.exited()).code, 6, service.output());
      assert.ok(service.hasLogged(lost === "agent" ? /crash loop: the agent/ : /crash loop: every worker/));
      const ends = service.log().filter((line) => line.outcome !== undefined && line.outcome !== "clean" && (line.slot ?? 0) === 0);
      const own = ends.filter((line) => (line.role === "agent") === (lost === "agent"));
      assert.ok(
        own.length >= 4 && own.length <= (lost === "agent" ? 4 : 8),
        `${own.length} lives of one slot, which may go on until the other one is done`,
      );
      assert.deepEqual(childrenOf(service.pid), []);
    });
  }

  test("ends a reload well although an old worker is killed in it", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, ...NO_ROLL_CALL, "--drain-idle", "100ms"] });
    await service.untilReady();
    const second = await pidOf(service, 1);
    steering.on("wait", 0);
    service.signal("SIGHUP");
    await until("the first successor starts", async () => (await service.status()).workers[0]?.processes.length === 2);
    kill(second);
    await replaced(service, 1, second);
    assert.equal(await service.metric("rollcall_reload_in_progress"), 1);
    steering.off("wait", 0);
    await until("the reload has ended", async () => (await service.metric('rollcall_reloads_total{result="success"}')) === 1);
    const serving = (await service.status()).workers.map((slot) => slot.processes.find((each) => each.state === "ready")?.generation);
    assert.deepEqual(serving, [2, 2]);
    assert.equal(await service.metric('rollcall_reloads_total{result="failure"}'), 0);
  });

  test("aborts a reload in which a worker of the new generation is killed after it was ready", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, ...NO_ROLL_CALL, "--drain-idle", "100ms"] });
    await service.untilReady();
    const [first, second] = [await pidOf(service, 0), await pidOf(service, 1)];
    steering.on("wait", 1);
    service.signal("SIGHUP");
    await replaced(service, 0, first);
    await until("the second successor starts", async () => (await service.status()).workers[1]?.processes.length === 2);
    const successor = await pidOf(service, 0);
    kill(successor);
    await until("the reload is aborted", async () => (await service.metric('rollcall_reloads_total{result="failure"}')) === 1);
    await replaced(service, 0, successor);
    assert.equal(await pidOf(service, 1), second);
    assert.equal(await service.probe("ready"), 200);
  });

  test("aborts a reload whose successor is killed while it boots; the old workers serve on", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...QUICK, ...NO_ROLL_CALL] });
    await service.untilReady();
    const before = await service.workerPids();
    steering.on("wait", 0);
    service.signal("SIGHUP");
    const starting = () => service.status().then(({ workers }) => workers[0]?.processes.find((each) => each.state === "starting")?.pid);
    kill(await until("the successor starts", starting));
    await until("the reload is aborted", async () => (await service.metric('rollcall_reloads_total{result="failure"}')) === 1);
    assert.deepEqual(await service.workerPids(), before);
    assert.equal(await service.probe("ready"), 200);
    assert.ok(before.includes(Number(await ask(service))));
  });
});

/** The backoff delays in the log, in their order. */
function delaysOf(service: Service): readonly unknown[] {
  return service.log().flatMap((line) => line.delayMs ?? []);
}
