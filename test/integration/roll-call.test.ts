// The roll call from outside: strikes, the exception, recovery, readiness, agent-grace; with short periods and real processes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { steer } from "../fixtures/apps/roll-steering.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const APP = { app: "roll-steered.mjs", agent: "roll-steered.mjs", workers: 2 } as const;
const PATIENT = ["--backoff-delay", "50ms", "--backoff-limit", "100ms", "--max-restarts", "100000", "--stop-timeout", "4s"];

describe("roll call", { concurrency: 2 }, () => {
  for (const lost of ["the agent", "all workers"] as const) {
    test(`strikes out after three roll calls when ${lost} cannot boot again: live fails, exit 5`, async (t) => {
      const steering = steer(t);
      const flags = [...PATIENT, "--roll-call-period", "500ms", "--linger", "2s"];
      const service = await startService(t, { ...APP, env: steering.env, flags });
      await service.untilReady();
      await lose(service, steering, lost === "the agent" ? ["agent"] : [0, 1]);

      await until("liveness fails", async () => (await service.probe("live")) === 500);
      assert.equal(await service.probe("ready"), 500);
      assert.equal(await service.metric("rollcall_live"), 0);
      assert.ok((await service.metric("rollcall_roll_call_strikes")) >= 3);
      assert.ok((await service.metric('rollcall_roll_calls_total{result="failure"}')) >= 3);
      assert.ok(!service.hasLogged(/^stopping/), "it lingers, so that the failed liveness is seen");
      const children = childrenOf(service.pid);
      assert.equal((await service.exited()).code, 5, service.output());
      await until("nothing is left", () => !children.some(isAlive));

      const strikes = service.log().flatMap((line) => /strike (\d) of 3/.exec(line.msg)?.[1] ?? []);
      assert.deepEqual(strikes.slice(0, 3), ["1", "2", "3"]);
      const raised = service.log().filter((line) => line.error === "ClusterWorkerExceptionError");
      assert.equal(raised.length, 1);
      assert.deepEqual(raised[0]?.count, lost === "the agent" ? { agent: 0, worker: 2 } : { agent: 1, worker: 0 });
    });
  }

  test("forgets the strikes when everybody is back before the third", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...PATIENT, "--roll-call-period", "2500ms"] });
    await service.untilReady();
    for (const round of [1, 2]) {
      await lose(service, steering, ["agent"]);
      await until("there is a strike", () => strikesOf(service).length >= round);
      steering.off("down", "agent");
      await until("the strikes are forgotten", () => count(service, /everybody is present again/) === round);
      assert.equal(await service.metric("rollcall_roll_call_strikes"), 0);
    }
    assert.ok(!strikesOf(service).includes(3), "a second loss starts to count at 1 again");
    assert.equal(strikesOf(service).filter((strike) => strike === 1).length, 2);
    assert.equal(await service.probe("live"), 200);
  });

  test("counts a child that does not answer as absent", async (t) => {
    const steering = steer(t);
    const flags = [...PATIENT, "--roll-call-period", "500ms", "--heartbeat-timeout", "6s", "--failure-threshold", "1000"];
    const service = await startService(t, { ...APP, env: steering.env, flags });
    await service.untilReady();
    for (const who of [["agent"], [0, 1]] as const) {
      const before = count(service, /everybody is present again/);
      steering.on("block", ...who);
      await until("there is a strike", async () => (await service.metric("rollcall_roll_call_strikes")) > 0);
      steering.off("block", ...who);
      await until("the strikes are forgotten", () => count(service, /everybody is present again/) > before);
    }
    assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="unresponsive"}'), 0);
  });

  test("turns /ready 500 the moment that the last ready worker is lost, and back by itself", async (t) => {
    const steering = steer(t);
    // No roll call comes within this test: what turns readiness is the loss itself.
    const service = await startService(t, { ...APP, env: steering.env, flags: [...PATIENT, "--roll-call-period", "10m"] });
    await service.untilReady();
    const pids = await service.workerPids();
    steering.on("down", 0, 1);
    kill(pids[0] as number);
    await until("one worker is left", async () => (await service.status()).workersReady === 1);
    assert.equal(await service.probe("ready"), 200);

    const killedAt = performance.now();
    kill(pids[1] as number);
    while ((await service.probe("ready")) === 200) {
      assert.ok(performance.now() - killedAt < 5_000, "readiness must turn false by itself");
      await sleep(10);
    }
    const tookMs = performance.now() - killedAt;
    t.diagnostic(`/ready was 500 within ${Math.round(tookMs)} ms`);
    // 100 ms is the promise; a machine that is busy with other tests gets a second.
    assert.ok(tookMs < 1_000, `it took ${tookMs} ms`);
    assert.equal(await service.metric("rollcall_ready"), 0);
    assert.equal(await service.probe("live"), 200);
    steering.off("down", 0, 1);
    await service.untilReady();
    assert.equal(await service.metric('rollcall_roll_calls_total{result="success"}'), 0);
  });

  test("with on-exception report: live fails, recovers, and the master stays, strike after strike", async (t) => {
    const steering = steer(t);
    const flags = [...PATIENT, "--roll-call-period", "300ms", "--on-exception", "report", "--linger", "100ms"];
    const service = await startService(t, { ...APP, env: steering.env, flags });
    await service.untilReady();
    for (const round of [1, 2]) {
      await lose(service, steering, [0, 1]);
      await until("liveness fails", async () => (await service.probe("live")) === 500);
      await until("more roll calls fail", async () => (await service.metric("rollcall_roll_call_strikes")) >= 6);
      assert.equal(await service.probe("live"), 500);
      steering.off("down", 0, 1);
      await until("it is live again", async () => (await service.probe("live")) === 200);
      await service.untilReady();
      assert.equal(await service.metric("rollcall_live"), 1);
      assert.equal(count(service, /ClusterWorkerExceptionError/), round, "once for each loss, not for each strike");
    }
    assert.equal((await fetch(service.url("/"), { headers: { connection: "close" } })).status, 200);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0);
  });

  test("stays ready without the agent for agent-grace, then is not, and is again once it is back", async (t) => {
    const steering = steer(t);
    const flags = [...PATIENT, "--roll-call-period", "10m", "--agent-grace", "3s"];
    const service = await startService(t, { ...APP, env: steering.env, flags });
    await service.untilReady();
    const lostAt = performance.now();
    await lose(service, steering, ["agent"]);
    await until("readiness turns false", async () => {
      const isReady = (await service.probe("ready")) === 200;
      if (!isReady) assert.ok(performance.now() - lostAt > 2_900, "not before the grace is over");
      return !isReady;
    });
    assert.ok(performance.now() - lostAt < 3_000 + 5_000);
    steering.off("down", "agent");
    await service.untilReady();
  });

  test("names the third strike as the cause when a crash loop is reached after it", async (t) => {
    const steering = steer(t);
    const flags = ["--backoff-delay", "800ms", "--backoff-factor", "1", "--max-restarts", "4", "--roll-call-period", "200ms"];
    const service = await startService(t, { ...APP, env: steering.env, flags: [...flags, "--linger", "6s", "--stop-timeout", "4s"] });
    await service.untilReady();
    await lose(service, steering, [0, 1]);
    await until("liveness fails", async () => (await service.probe("live")) === 500);
    const exited = service.exited();
    await Promise.race([exited, until("the restarts are used up", () => count(service, /^worker \d failed to boot/) >= 6)]);
    assert.equal((await exited).code, 5, service.output());
  });
});

/** Makes these fail to boot from now on, and kills them. */
async function lose(service: Service, steering: ReturnType<typeof steer>, who: readonly (number | "agent")[]): Promise<void> {
  const status = await service.status();
  steering.on("down", ...who);
  for (const each of who) {
    const slot = each === "agent" ? status.agent : status.workers[each];
    kill(slot?.processes[0]?.pid as number);
  }
}

function strikesOf(service: Service): readonly number[] {
  return service.log().flatMap((line) => (typeof line.strikes === "number" && line.strikes > 0 ? [line.strikes] : []));
}

function count(service: Service, pattern: RegExp): number {
  return service.log().filter((line) => pattern.test(line.msg)).length;
}
