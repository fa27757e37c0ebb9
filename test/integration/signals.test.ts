// Signals to the running service: to the master, to the whole group, twice, from a terminal. W numbers: known weak points of
// the classic multi-process servers. The reload has a file of its own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { accepts, ask } from "../helpers/load.ts";
import { childrenOf, isAlive } from "../helpers/processes.ts";
import { type Service, type ServiceOptions, startService } from "../helpers/service.ts";
import { IN_A_TERMINAL, noTerminal } from "../helpers/terminal.ts";
import { until } from "../helpers/until.ts";

const SLACK_MS = 6_000;
/** A fast stop, from the second signal on. */
const FAST_STOP_MS = 2_000;

const count = (service: Service, text: string): number => service.output().split(text).length - 1;
const isMissing = (command: string): boolean => spawnSync(command, ["--version"], { stdio: "ignore" }).error !== undefined;

/** A service of two workers with hooks of half a second and two requests of a second in flight. */
async function startBusy(
  t: TestContext,
  options: Partial<ServiceOptions> = {},
): Promise<{ service: Service; pids: readonly number[]; answers: Promise<readonly string[]> }> {
  const env = { HOOK_MS: "500", ...options.env };
  const service = await startService(t, { app: "stop-hooks.mjs", agent: "stop-agent.mjs", workers: 2, ...options, env });
  await service.untilReady();
  const requests = [1, 2].map(() => ask(service.url("/?ms=1000")).then(({ body }) => body));
  await until("both requests are in flight", () => count(service, "request begins") === 2);
  return { service, pids: childrenOf(service.pid), answers: Promise.all(requests) };
}

async function endsInOrder({ service, pids, answers }: Awaited<ReturnType<typeof startBusy>>): Promise<void> {
  assert.equal((await service.exited()).code, 0, service.output());
  assert.deepEqual(await answers, ["done", "done"]);
  assert.equal(count(service, "hook ends"), 2, `every worker's hook ran, once\n${service.output()}`);
  assert.equal(count(service, "TERM listener"), 2, "every worker's listener ran, once");
  assert.equal(count(service, "agent: hook"), 1);
  assert.deepEqual(pids.filter(isAlive), []);
}

describe("signals", { concurrency: 2 }, () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    test(`${signal} stops gracefully, and copies within 500 ms are one signal`, async (t) => {
      const busy = await startBusy(t);
      for (let copies = 0; copies < 5; copies++) busy.service.signal(signal);
      await endsInOrder(busy);
      assert.equal(busy.service.hasLogged(/fast stop/), false);
    });
  }

  for (const { name, wrapper } of [
    { name: "tini -g", wrapper: ["tini", "-s", "-g", "--"] },
    { name: "dumb-init", wrapper: ["dumb-init"] },
  ]) {
    const skip = isMissing(wrapper[0] as string) && `${wrapper[0]} is not installed`;
    test(`W9: TERM to the whole group by ${name} stops gracefully`, { skip }, async (t) => {
      const busy = await startBusy(t, { wrapper });
      busy.service.signal("SIGTERM");
      await endsInOrder(busy);
    });
  }

  test("W10: INT to the whole group, several times as npm and a terminal send it, stops gracefully", async (t) => {
    const busy = await startBusy(t, { detached: true });
    for (let copies = 0; copies < 3; copies++) process.kill(-busy.service.pid, "SIGINT");
    await endsInOrder(busy);
  });

  test("W10: TERM, INT, QUIT and HUP to the children alone do nothing", async (t) => {
    const busy = await startBusy(t);
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const) for (const pid of busy.pids) process.kill(pid, signal);
    assert.deepEqual(await busy.answers, ["done", "done"]);
    assert.deepEqual(childrenOf(busy.service.pid), busy.pids);
    assert.equal(await busy.service.probe("ready"), 200);
    await until("the log tells of the TERM", () =>
      busy.service.hasLogged(/^worker 0 got SIGTERM, and takes orders from the master alone: rollcall restart 0 replaces it/),
    );
    busy.service.signal("SIGTERM");
    await endsInOrder(busy);
  });

  test("W10: Ctrl-C in a terminal stops gracefully", { skip: noTerminal() }, async (t) => {
    const busy = await startBusy(t, { wrapper: IN_A_TERMINAL });
    busy.service.signal("SIGTERM");
    await endsInOrder(busy);
    assert.match(busy.service.output(), /SIGINT: stopping/);
  });

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
    ["SIGQUIT", 131],
  ] as const) {
    test(`W11: a second ${signal} 500 ms later is a fast stop with exit ${code} and nothing left`, async (t) => {
      const env = { HOOK_MS: "60000" };
      const service = await startService(t, { app: "stop-hooks.mjs", agent: "stop-agent.mjs", workers: 2, env });
      await service.untilReady();
      const pids = childrenOf(service.pid);
      service.signal(signal);
      await until("the stop begins", () => service.hasLogged(/stopping within/));
      // The time between the two is what is tested.
      await sleep(600);
      service.signal(signal);
      const exit = await service.exited();
      assert.equal(exit.code, code, service.output());
      assert.ok(exit.afterMs < FAST_STOP_MS + SLACK_MS, `it took ${exit.afterMs} ms`);
      assert.deepEqual(pids.filter(isAlive), []);
    });
  }

  test("W11: a fast stop kills what does not end by itself", async (t) => {
    const service = await startService(t, { app: "http.mjs", workers: 1 });
    await service.untilReady();
    const pids = childrenOf(service.pid);
    ask(service.url("/block?ms=60000")).catch(() => {});
    await until("the worker is blocked", () => service.output().includes("app: blocks"));
    service.signal("SIGTERM");
    await until("the stop begins", () => service.hasLogged(/stopping within/));
    await sleep(600);
    service.signal("SIGINT");
    const exit = await service.exited();
    assert.equal(exit.code, 130, "the second signal names the code");
    assert.ok(exit.afterMs < FAST_STOP_MS + SLACK_MS, `it took ${exit.afterMs} ms`);
    assert.deepEqual(pids.filter(isAlive), []);
  });

  test("USR2 writes the status to the log, and USR1 opens no inspector", async (t) => {
    const service = await startService(t, { app: "http.mjs", workers: 1 });
    await service.untilReady();
    const wasTaken = await accepts(9229);
    service.signal("SIGUSR1");
    service.signal("SIGUSR2");
    const line = await until("the status is logged", () => service.log().find(({ msg }) => msg === "status"));
    const status = line.status as { readonly workersReady: number; readonly pid: number };
    assert.equal(status.workersReady, 1);
    assert.equal(status.pid, service.pid);
    assert.doesNotMatch(service.output(), /debugger/i);
    if (!wasTaken) assert.equal(await accepts(9229), false);
    assert.equal(await service.probe("ready"), 200);
  });

  test("TTIN adds a worker and TTOU takes one away, but never the last", async (t) => {
    const service = await startService(t, { app: "http.mjs", workers: 1, flags: ["--drain-idle", "100ms"] });
    await service.untilReady();
    const runs = (workers: number): Promise<unknown> =>
      until(`${workers} workers run`, async () => {
        const status = await service.status();
        return status.workersReady === workers && status.workers.length === workers;
      });
    service.signal("SIGTTOU");
    await until("the last worker stays", () => service.hasLogged(/^scale ignored/));
    await runs(1);
    const first = await service.workerPids();
    service.signal("SIGTTIN");
    await runs(2);
    service.signal("SIGTTIN");
    await runs(3);
    assert.equal(await service.metric("rollcall_workers_target"), 3);
    service.signal("SIGTTOU");
    await runs(2);
    service.signal("SIGTTOU");
    await runs(1);
    assert.deepEqual(await service.workerPids(), first, "the first worker was left alone");
    assert.equal((await ask(service.url("/"))).body, "hello");
  });

  test("a worker taken away and asked for again while it drains is no restart", async (t) => {
    const service = await startService(t, { app: "stop-hooks.mjs", workers: 2 });
    await service.untilReady();
    // Held by both workers, so whichever leaves takes its time.
    const answers = Array.from({ length: 12 }, () => ask(service.url("/?ms=1500")));
    await until("the requests are in flight", () => count(service, "request begins") === 12);
    service.signal("SIGTTOU");
    await until("it scales down", () => service.hasLogged(/2 → 1 workers/));
    service.signal("SIGTTIN");
    await until("two workers run again", async () => (await service.status()).workersReady === 2);
    for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
    assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="scale"}'), 1);
    assert.equal(await service.metric('rollcall_process_restarts_total{role="worker"}'), 0);
  });
});
