// What a child has started itself goes with it, whichever way it ends: children, orphans, daemons. Nothing else does.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, type TestContext, test } from "node:test";
import { readStat } from "../../src/system/procfs.ts";
import { isAlive, kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

type Kind = "child" | "grandchild" | "detached" | "wiped" | "orphan" | "daemon";
type Started = Readonly<Record<Kind, number>>;

const skip = process.platform !== "linux" && "descendants are found in /proc";

async function start(t: TestContext, workers: number, ...flags: string[]): Promise<Service> {
  const service = await startService(t, { app: "descendants.mjs", workers, flags: ["--backoff-delay", "50ms", ...flags] });
  await service.untilReady();
  return service;
}

async function ask(service: Service, path: string): Promise<string> {
  return (await fetch(service.url(path), { headers: { connection: "close" } })).text();
}

/** Every kind of descendant of one of the workers. */
async function startAll(t: TestContext, service: Service): Promise<Started> {
  const started = JSON.parse(await ask(service, "/start")) as Started;
  endAfter(t, Object.values(started));
  await until("all of them run", () => Object.values(started).every(isAlive));
  return started;
}

function endAfter(t: TestContext, pids: readonly number[]): void {
  t.after(() => {
    for (const pid of pids) kill(pid);
  });
}

const alive = (started: Started): readonly string[] =>
  Object.entries(started).flatMap(([kind, pid]) => (isAlive(pid) ? [`${kind} ${pid}`] : []));

describe("descendants", { concurrency: 2, skip }, () => {
  test("go with a stop, all of them, and nothing else does", async (t) => {
    // The environment of a worker, but of another service; and a neighbour in the master's own group and session.
    const other = spawn("sleep", ["1000"], { stdio: "ignore", env: { ...process.env, ROLLCALL_LIFE: "1-2-x:1", ROLLCALL_ROLE: "worker" } });
    const neighbour = spawn("sleep", ["1000"], { stdio: "ignore" });
    endAfter(t, [other.pid as number, neighbour.pid as number]);
    const service = await start(t, 1);
    const started = await startAll(t, service);
    service.signal("SIGTERM");
    const { code } = await service.exited();
    assert.equal(code, 0, service.output());
    assert.deepEqual(alive(started), []);
    assert.deepEqual(
      [other, neighbour].map(({ pid }) => isAlive(pid as number)),
      [true, true],
    );
    assert.ok(service.hasLogged(/^worker 0 left \d+ processes behind: ended by SIGTERM$/), service.output());
  });

  for (const { flags, kept } of [
    { flags: [], kept: [] },
    { flags: ["--keep-descendants"], kept: ["detached", "daemon"] },
  ]) {
    test(`go when the master is killed: their worker takes them along${flags.length > 0 ? ", but for daemons that are to be kept" : ""}`, async (t) => {
      const service = await start(t, 1, ...flags);
      const started = await startAll(t, service);
      const stubborn = Number(await ask(service, "/stubborn"));
      endAfter(t, [stubborn]);
      const [worker] = await service.workerPids();
      kill(service.pid);
      await until("the worker is gone", () => !isAlive(worker as number));
      await until("its descendants are gone", () => !isAlive(stubborn) && alive(started).length <= kept.length);
      assert.deepEqual(
        alive(started).map((each) => each.split(" ")[0]),
        kept,
      );
    });
  }

  test("go with a worker that is killed from outside, and those of the other worker stay", async (t) => {
    const service = await start(t, 2);
    const families = new Map<number, Started>();
    await until("both workers have some", async () => {
      const pid = Number(await ask(service, "/"));
      if (!families.has(pid)) {
        const started = JSON.parse(await ask(service, "/start")) as Started;
        endAfter(t, Object.values(started));
        const parent = (await service.workerPids()).find((each) => each === readStat(started.child)?.parentPid);
        if (parent !== undefined) families.set(parent, started);
      }
      return families.size === 2;
    });
    const [[victim, lost], [, kept]] = [...families] as [[number, Started], [number, Started]];
    kill(victim);
    // One that has wiped its environment, and lost its parent before anybody looked, is nobody's.
    await until("its descendants are gone", () => alive({ ...lost, wiped: 0 }).length === 0);
    assert.equal(alive(kept).length, 6);
    await until("it is replaced", async () => (await service.workerPids()).length === 2);
  });

  test("go with a worker that has to be killed by the master, and one that ignores SIGTERM is killed", async (t) => {
    const service = await start(t, 1, "--stop-timeout", "3s");
    const started = await startAll(t, service);
    const stubborn = Number(await ask(service, "/stubborn"));
    endAfter(t, [stubborn]);
    ask(service, "/block?ms=60000").catch(() => {});
    await until("it is silent", async () => Number((await service.status()).workers[0]?.processes[0]?.heartbeatAgeSeconds) > 1.6);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 8, service.output());
    assert.deepEqual(alive(started), []);
    assert.equal(isAlive(stubborn), false);
  });

  test("that ignore SIGTERM are killed a while later, and the log says so", async (t) => {
    const service = await start(t, 1);
    const stubborn = Number(await ask(service, "/stubborn"));
    endAfter(t, [stubborn]);
    kill(Number(await ask(service, "/")));
    await until("it is gone", () => !isAlive(stubborn));
    await until("the log says so", () => service.hasLogged(/^worker 0 left \d+ processes? behind: \d of them did not end by SIGTERM/));
  });

  test("of the old generation go with a reload", async (t) => {
    const service = await start(t, 1);
    const started = await startAll(t, service);
    service.signal("SIGHUP");
    await until("they are gone", () => alive(started).length === 0);
    const next = await startAll(t, service);
    await until("the reload is over", async () => !(await service.status()).reloading);
    assert.equal(alive(next).length, 6);
  });

  test("in a session of their own stay with --keep-descendants, and the others still go", async (t) => {
    const service = await start(t, 1, "--keep-descendants");
    const started = await startAll(t, service);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
    assert.deepEqual(alive(started), [`detached ${started.detached}`, `daemon ${started.daemon}`]);
  });
});
