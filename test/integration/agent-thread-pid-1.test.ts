// agent-mode thread where Rollcall is PID 1: the end of the thread is never the container's, a stop keeps its budget even where the thread does not end, and
// what the thread has started is ended and reaped, while its own children are left to it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { asPid1, firstBelow, noPid1, noReaper } from "../helpers/namespaces.ts";
import { childrenOf, isAlive, zombiesOf } from "../helpers/processes.ts";
import type { ServiceOptions } from "../helpers/service.ts";
import { startThreaded, type ThreadedService } from "../helpers/threaded.ts";
import { until } from "../helpers/until.ts";

const STOP_MS = 3_000;
/** Another program takes the place of a master whose thread does not end, and one that is busy exits late. */
const SLACK_MS = 6_000;

interface First {
  readonly service: ThreadedService;
  /** PID 1, as it is numbered out here. */
  readonly master: number;
}

async function startFirst(t: TestContext, options: Partial<ServiceOptions> = {}): Promise<First> {
  const flags = ["--stop-timeout", `${STOP_MS}ms`, ...(options.flags ?? [])];
  const service = await startThreaded(t, { ...options, flags, wrapper: asPid1 ?? [] });
  await service.untilReady();
  assert.equal((await service.agent()).pid, 1);
  return { service, master: await firstBelow(service.pid) };
}

async function endsWith({ service, master }: First, code: number): Promise<void> {
  const all = [master, ...childrenOf(master)];
  process.kill(master, "SIGTERM");
  const exit = await service.exited();
  assert.equal(exit.code, code, service.output());
  assert.ok(exit.afterMs < STOP_MS + SLACK_MS, `it took ${exit.afterMs} ms`);
  assert.deepEqual(all.filter(isAlive), []);
}

describe("an agent in a thread of PID 1", { concurrency: 2, skip: noPid1 }, () => {
  test("stops last in a stop, with its hooks, and the container ends with 0", async (t) => {
    const first = await startFirst(t);
    await endsWith(first, 0);
    assert.match(first.service.output(), /worker 0 ends[\s\S]*agent hears TERM[\s\S]*agent ends/);
  });

  test("is replaced when it exits, ends itself, throws or hangs, and PID 1 and its workers live on", async (t) => {
    const first = await startFirst(t, { flags: ["--heartbeat-timeout", "1s", "--agent-uncaught", "restart"] });
    const { service, master } = first;
    const workers = childrenOf(master);
    for (const deed of ["exit", "kill", "throw", "hang", "exec"]) {
      const before = await service.agent();
      await service.deed(deed);
      assert.equal((await service.replaced(before)).pid, 1, deed);
      await until(`nothing is left of the one that was to ${deed}`, () => childrenOf(master).length === workers.length);
      assert.deepEqual(childrenOf(master), workers, deed);
    }
    assert.equal(await service.probe("live"), 200);
    await endsWith(first, 0);
  });

  test("hears the end of its children, however late, and nobody is left of them or of those that it leaves behind", {
    skip: noReaper,
  }, async (t) => {
    const first = await startFirst(t);
    const { service, master } = first;
    const workers = childrenOf(master);
    await service.deed("late");
    await until("it has heard of the one that ended while it was busy", () => service.output().includes("its end is heard late: 0"));
    await service.deed("start");
    await service.deed("orphan");
    await until("they are there", () => /^sleeps: /m.test(service.output()) && service.output().includes("an orphan sleeps"));
    await until("PID 1 has both for children", () => childrenOf(master).length === workers.length + 2);
    const before = await service.agent();
    await service.deed("exit");
    await service.replaced(before);
    await until("both are gone", () => childrenOf(master).length === workers.length && zombiesOf(master).length === 0);
    assert.ok(service.hasLogged(/^agent left 2 processes behind: ended by SIGTERM$/), service.output());
    assert.deepEqual(childrenOf(master), workers);
    await endsWith(first, 0);
  });

  test("keeps no container beyond the budget by a call that does not return: exit 8", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "rollcall-fifo-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    execFileSync("mkfifo", [join(folder, "fifo")]);
    const first = await startFirst(t, { env: { FIFO: join(folder, "fifo") } });
    await first.service.deed("fifo");
    await endsWith(first, 8);
  });
});
