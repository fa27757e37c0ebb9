// agent-mode thread: whatever an agent does in JavaScript costs its thread and not the master; what it does in the kernel is bounded by the stop's budget.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { childrenOf } from "../helpers/processes.ts";
import { startThreaded } from "../helpers/threaded.ts";
import { until } from "../helpers/until.ts";

const HEAP = ["--node-arg=--max-old-space-size=48"];
const QUICK = ["--heartbeat-timeout", "1s"];

/** A fifo that nobody writes to: whoever opens it stays in the kernel. */
function fifo(t: TestContext): { readonly FIFO: string } {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-fifo-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync("mkfifo", [join(folder, "fifo")]);
  return { FIFO: join(folder, "fifo") };
}

describe("an agent in a thread that fails", { concurrency: 2 }, () => {
  for (const [boot, words] of [
    ["throw", /^Uncaught Error: thrown at boot\n +at .*threaded\.mjs/m],
    ["exit", /agent failed to boot: it exited with code 9 before it was ready/],
    ["never", /agent was not ready within 500 ms \(boot-timeout\): killing it/],
  ] as const) {
    test(`at boot (${boot}) ends the start with exit 4`, async (t) => {
      const flags = boot === "never" ? ["--boot-timeout", "500ms"] : [];
      const service = await startThreaded(t, { env: { BOOT: boot }, flags });
      assert.equal((await service.exited()).code, 4, service.output());
      assert.match(service.output(), words);
    });
  }

  test("to start, for a flag in NODE_OPTIONS that no thread can have, names the flag and says what to do", async (t) => {
    const service = await startThreaded(t, { flags: ["--env", "NODE_OPTIONS=--title=anything"] });
    assert.equal((await service.exited()).code, 4, service.output());
    assert.ok(
      service.hasLogged(
        /^Cannot start agent: a thread cannot have the NODE_OPTIONS .*\(--title=.*\): give the flag by node-arg, .*\(agent-mode process\)$/,
      ),
      service.output(),
    );
  });

  test("not, where the same flag comes by node-arg: it is left out and told of", async (t) => {
    const service = await startThreaded(t, { flags: ["--node-arg=--title=anything"] });
    await service.untilReady();
    assert.ok(service.hasLogged(/^agent: a thread cannot have --title=anything, .*: left out$/), service.output());
  });

  for (const [deed, words, flags] of [
    ["exit", /^agent exited with code 3$/, []],
    ["kill", /^agent exited with code 137$/, []],
    ["hang", /^agent was killed, for it did not answer/, QUICK],
    ["exec", /^agent was killed, for it did not answer/, QUICK],
    ["fill", /^agent: Error.*: Worker terminated due to reaching memory limit/, HEAP],
    ["throw", /^agent: Error: thrown once$/, ["--agent-uncaught", "restart"]],
  ] as const) {
    test(`later (${deed}) is replaced; the master and the workers live on`, async (t) => {
      const service = await startThreaded(t, { flags });
      await service.untilReady();
      const { pid } = await service.status();
      const [before, workers] = [await service.agent(), await service.workerPids()];
      await service.deed(deed);
      await service.replaced(before);
      assert.ok(service.hasLogged(words), service.output());
      assert.equal((await service.status()).pid, pid);
      assert.deepEqual(await service.workerPids(), workers);
      assert.equal(await service.probe("live"), 200);
      assert.equal((await service.self()).pid, pid, "the new one answers");
      await until("nothing is left of the old one", () => childrenOf(pid).length === workers.length);
    });
  }

  test("survives an uncaught exception where it is to, and neither a TERM of its own nor abort() reaches the master", async (t) => {
    const service = await startThreaded(t);
    await service.untilReady();
    const before = await service.agent();
    for (const deed of ["throw", "term", "abort"]) await service.deed(deed);
    await until("all is done", () => service.output().includes("abort: ERR_WORKER_UNSUPPORTED_OPERATION"));
    assert.ok(service.hasLogged(/^agent: uncaught Error: thrown once; it lives on \(agent-uncaught\)$/));
    assert.equal((await service.agent()).thread, before.thread);
    assert.equal((await service.status()).state, "running");
  });

  test("again and again is a crash loop: exit 6", async (t) => {
    const service = await startThreaded(t, { flags: ["--max-restarts", "3"] });
    await service.untilReady();
    const restarts = async (): Promise<number> =>
      (await service.agent()) && service.metric('rollcall_process_restarts_total{role="agent"}');
    await service.deed("exit");
    await until("it is back once", async () => (await restarts()) === 1);
    await service.deed("exit");
    await until("it is back twice", async () => (await restarts()) === 2);
    await service.deed("exit");
    assert.equal((await service.exited()).code, 6, service.output());
  });

  test("in a call that does not return is told of, fails the roll call, and goes with the master: exit 5", async (t) => {
    const rollCall = ["--roll-call-period", "500ms", "--agent-grace", "1s", "--linger", "100ms", "--stop-timeout", "2s"];
    const service = await startThreaded(t, { flags: [...QUICK, ...rollCall], env: fifo(t) });
    await service.untilReady();
    await service.deed("fifo");
    const exit = await service.exited();
    assert.equal(exit.code, 5, service.output());
    assert.ok(service.hasLogged(/^agent: its thread is in a call that does not return, and cannot be ended there/), service.output());
  });

  test("to return in a stop keeps nobody beyond the budget: exit 8", async (t) => {
    const service = await startThreaded(t, { flags: ["--stop-timeout", "2s"], env: fifo(t) });
    await service.untilReady();
    await service.deed("fifo");
    service.signal("SIGTERM");
    const exit = await service.exited();
    assert.equal(exit.code, 8, service.output());
    assert.ok(exit.afterMs < 8_000, `it took ${exit.afterMs} ms`);
  });
});
