// HUP, the rolling reload: no request is lost, a bad generation never replaces a good one, and any number of signals are one reload and one more.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask, connect, startLoad } from "../helpers/load.ts";
import { isAlive } from "../helpers/processes.ts";
import { watchReadiness } from "../helpers/readiness.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const FLAGS = ["--drain-idle", "200ms", "--stop-timeout", "4s"];

const untilGeneration = (service: Service, generation: number): Promise<unknown> =>
  until(`generation ${generation} runs`, async () => {
    const status = await service.status();
    return status.generation === generation && !status.reloading && status.workersReady === status.workersTarget;
  });

/** A file whose existence breaks the app's next start. */
async function breakableApp(t: TestContext): Promise<{ env: Record<string, string>; breakIt(): Promise<void>; mendIt(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "broken");
  return { env: { BROKEN_FILE: file }, breakIt: () => writeFile(file, ""), mendIt: () => rm(file) };
}

describe("HUP", { concurrency: 2 }, () => {
  for (const surge of ["1", "0"]) {
    test(`replaces every worker under load without an error and stays ready, with a surge of ${surge}`, async (t) => {
      const service = await startService(t, { app: "stop-generation.mjs", workers: 2, flags: [...FLAGS, "--surge", surge] });
      await service.untilReady();
      const before = await service.workerPids();
      const load = startLoad(t, service.url("/?ms=5"));
      await until("the load runs", () => load.succeeded() > 20);
      const readiness = watchReadiness(t, service);
      service.signal("SIGHUP");
      await untilGeneration(service, 2);
      await until("the old workers are gone", () => !before.some(isAlive));
      await load.stop();
      assert.deepEqual(load.failures(), []);
      assert.deepEqual(await readiness.stop(), []);
      const after = await service.workerPids();
      assert.equal(after.length, 2);
      assert.deepEqual(
        after.filter((pid) => before.includes(pid)),
        [],
      );
      assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="reload"}'), 2);
      assert.equal(await service.metric('rollcall_process_restarts_total{role="worker"}'), 0);
      assert.equal(await service.metric('rollcall_reloads_total{result="success"}'), 1);
    });
  }

  test("keeps the old workers serving and ready when the new generation fails to boot, and takes the next good one", async (t) => {
    const app = await breakableApp(t);
    const service = await startService(t, { app: "stop-generation.mjs", workers: 2, env: app.env, flags: FLAGS });
    await service.untilReady();
    const before = await service.workerPids();
    const load = startLoad(t, service.url("/"));
    const readiness = watchReadiness(t, service);
    await app.breakIt();
    service.signal("SIGHUP");
    await until("the reload is aborted", () => service.hasLogged(/^reload aborted/));
    assert.ok(service.hasLogged(/this generation is broken/));
    assert.deepEqual(await service.workerPids(), before);
    assert.equal((await service.status()).reloading, false);
    assert.equal(await service.metric('rollcall_reloads_total{result="failure"}'), 1);
    await app.mendIt();
    service.signal("SIGHUP");
    await until("the new generation runs", async () => {
      const pids = await service.workerPids();
      return pids.length === 2 && !pids.some((pid) => before.includes(pid)) && !(await service.status()).reloading;
    });
    await load.stop();
    assert.deepEqual(load.failures(), []);
    assert.deepEqual(await readiness.stop(), []);
    assert.equal(await service.metric('rollcall_reloads_total{result="success"}'), 1);
  });

  test("with a surge of 0, a generation that fails to boot costs one worker until it is mended, never two", async (t) => {
    const app = await breakableApp(t);
    const flags = [...FLAGS, "--surge", "0", "--backoff-limit", "500ms"];
    const service = await startService(t, { app: "stop-generation.mjs", workers: 2, env: app.env, flags });
    await service.untilReady();
    const before = await service.workerPids();
    const load = startLoad(t, service.url("/"));
    const readiness = watchReadiness(t, service);
    await app.breakIt();
    service.signal("SIGHUP");
    await until("the reload is aborted", () => service.hasLogged(/^reload aborted/));
    await until("the lost worker was tried again", () => service.log().filter(({ msg }) => /failed to boot: it/.test(msg)).length >= 3);
    const meanwhile = await service.workerPids();
    assert.equal(meanwhile.length, 1);
    assert.ok(before.includes(meanwhile[0] as number));
    await app.mendIt();
    await until("two workers run again", async () => (await service.workerPids()).length === 2);
    await load.stop();
    assert.deepEqual(load.failures(), []);
    assert.deepEqual(await readiness.stop(), []);
  });

  test("1,000 times at once is one reload and at most one more", async (t) => {
    const service = await startService(t, { app: "stop-generation.mjs", workers: 2, flags: FLAGS });
    await service.untilReady();
    const before = await service.workerPids();
    for (let signals = 0; signals < 1_000; signals++) service.signal("SIGHUP");
    await until("no reload runs any more", async () => {
      const status = await service.status();
      return status.generation > 1 && !status.reloading && !before.some(isAlive);
    });
    const { generation } = await service.status();
    assert.ok(generation === 2 || generation === 3, `generation ${generation}`);
    assert.equal(await service.metric('rollcall_reloads_total{result="success"}'), generation - 1);
    assert.equal((await service.workerPids()).length, 2);
    assert.equal(service.log().filter(({ msg }) => msg.startsWith("reload queued")).length, generation - 2);
  });

  test("while a TERM has begun the stop, is ignored; TERM during a reload stops with 0 and nothing left", async (t) => {
    const service = await startService(t, { app: "stop-generation.mjs", workers: 2, flags: FLAGS });
    await service.untilReady();
    const answer = ask(service.url("/?ms=700"));
    service.signal("SIGHUP");
    await until("the reload runs", () => service.hasLogged(/^reload: generation 2/));
    service.signal("SIGTERM");
    await until("the stop begins", () => service.hasLogged(/stopping within/));
    service.signal("SIGHUP");
    assert.equal((await service.exited()).code, 0, service.output());
    assert.equal((await answer).status, 200);
    assert.equal(service.log().filter(({ msg }) => msg.startsWith("reload: ")).length, 1);
  });

  test("cuts a request that outlasts the drain of its worker, and counts it", async (t) => {
    const service = await startService(t, { app: "stop-generation.mjs", workers: 1, flags: ["--stop-timeout", "5s"] });
    await service.untilReady();
    // Of 5 s the child has 4.5: enough is left for it to end by itself on a busy machine.
    const client = await connect(service.appPort);
    client.send("/?ms=60000");
    const [old] = await service.workerPids();
    await until("the request is in flight", async () => (await service.status()).workers[0]?.processes[0]?.requestsInFlight === 1);
    service.signal("SIGHUP");
    await untilGeneration(service, 2);
    await until("the old worker is gone", () => !isAlive(old as number));
    await until("the cut is counted", async () => (await service.metric("rollcall_connections_cut_total")) === 1);
    assert.equal(client.received(), "");
    const ended = 'rollcall_process_exits_total{role="worker",outcome="clean"}';
    await until("its end counts as clean", async () => (await service.metric(ended)) === 1);
    assert.equal(service.hasLogged(/shutdown hooks/), false, "there were none");
    assert.equal(await service.probe("ready"), 200);
  });

  test("an uncaught exception: its worker is replaced at once, finishes what else it has in hand, and exits 1", async (t) => {
    const flags = ["--stop-timeout", "8s", "--drain-idle", "200ms"];
    const service = await startService(t, { app: "http.mjs", workers: 1, flags });
    await service.untilReady();
    const [old] = await service.workerPids();
    const slow = ask(service.url("/slow?ms=2000"));
    await until("it is in flight", async () => (await service.status()).workers[0]?.processes[0]?.requestsInFlight === 1);
    const thrower = await connect(service.appPort);
    thrower.send("/throw");
    await until("the fault is logged", () => service.hasLogged(/^worker 0: Error: thrown by the app/));
    thrower.socket.destroy();
    await until("a successor serves", async () => {
      const [pid] = await service.workerPids();
      return pid !== undefined && pid !== old && (await ask(service.url("/pid"))).body === String(pid);
    });
    assert.equal((await slow).body, "slow");
    await until("the old worker exits 1", () =>
      service.log().some(({ msg, pid, code }) => pid === old && code === 1 && msg === "worker 0 exited with code 1"),
    );
    assert.equal(await service.metric('rollcall_process_exits_total{role="worker",outcome="crash"}'), 1);
    assert.equal(await service.metric('rollcall_process_restarts_total{role="worker"}'), 1);
  });

  test("an uncaught exception whose client waits on: the worker still ends by itself, with 1, within the stop budget", async (t) => {
    const service = await startService(t, { app: "http.mjs", workers: 2, flags: ["--stop-timeout", "2s"] });
    await service.untilReady();
    const thrower = await connect(service.appPort);
    // Whose request it was, Node cannot tell.
    thrower.send("/reject");
    await until("the old worker is gone", () => service.hasLogged(/^worker \d (exited with|was ended by)/));
    assert.ok(service.hasLogged(/^worker \d exited with code 1/), service.output());
    assert.ok(service.hasLogged(/1 request and 1 connection cut/), service.output());
  });
});
