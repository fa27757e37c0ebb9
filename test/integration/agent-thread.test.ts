// agent-mode thread: what an agent in a thread of the master is, sees and says, and how it stops. How it fails: agent-thread-faults.test.ts.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { childrenOf, isAlive, zombiesOf } from "../helpers/processes.ts";
import { FIXTURES, runRollcall } from "../helpers/service.ts";
import { startThreaded } from "../helpers/threaded.ts";
import { until } from "../helpers/until.ts";

/** Of all threads together. */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14).map(Number);
  return (user + system) / 100;
}

describe("an agent in a thread of the master", { concurrency: 2 }, () => {
  test("is no process, sees what a process would, says so in status, metrics and log, and stops last, with its hooks", async (t) => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "rollcall-thread-")));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const flags = ["--cwd", folder, "--env", "FLAVOUR=salt", "--title", "a title", "--node-arg=--max-old-space-size=64"];
    const service = await startThreaded(t, { flags: [...flags, "--node-arg=--stack-size=900"], appArgs: ["one", "two"] });
    await service.untilReady();
    const { pid } = await service.status();
    const agent = await service.agent();
    assert.equal(agent.pid, pid);
    assert.equal(typeof agent.thread, "number");
    assert.deepEqual(childrenOf(pid), await service.workerPids(), "the workers are the only processes");
    const { files, ...self } = await service.self();
    assert.deepEqual(self, {
      ...{ isMainThread: false, workerData: null, generation: 1, pid, cwd: folder, args: ["one", "two"], env: "salt", hasChannel: true },
    });
    assert.ok(!(files as string[]).some((flag) => /max-old-space|preload/.test(flag)), String(files));

    assert.equal(agent.residentBytes, null, "nobody can tell");
    assert.ok(
      (agent.heapLimitBytes ?? 0) > 64 << 20 && (agent.heapLimitBytes ?? 0) < 512 << 20,
      `${agent.heapLimitBytes} follows the flag`,
    );
    const metrics = await service.metrics();
    assert.doesNotMatch(metrics, /rollcall_resident_memory_bytes\{role="agent"/);
    assert.match(metrics, /rollcall_heap_used_bytes\{role="agent",slot="0"\} [1-9]/);
    const cpu = await service.metric('rollcall_cpu_seconds_total{role="agent",slot="0"}');
    assert.ok(cpu > 0 && cpu < cpuSecondsOf(pid), "its own time, not the master's");
    assert.ok(service.hasLogged(/^agent-mode thread: the agent runs in a thread of the master\. What ends a whole process/));
    assert.ok(service.hasLogged(/^agent ready in \d+ ms, pid \d+, thread \d+ of the master$/));
    assert.ok(service.hasLogged(/^agent: a thread cannot have --stack-size=900, which Node takes for a whole process alone: left out$/));
    const table = await runRollcall(t, ["status", "--control", service.control]);
    assert.match(table.stdout, new RegExp(`agent +ready +${pid} thread ${agent.thread} .* heap \\d+ MiB`));

    await service.deed("print");
    await until("both lines are out", () => /^agent to stdout$/m.test(service.output()) && /^agent to stderr$/m.test(service.output()));
    await service.deed("ill");
    await until("what it says of its health counts", async () => (await service.probe("ready")) === 500);

    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
    assert.match(service.output(), /worker 0 ends[\s\S]*agent hears TERM[\s\S]*agent ends/);
    assert.ok(service.hasLogged(/^agent stopped \(exited with code 0\)$/));
  });

  test("is replaced by restart and by reload --agent, and the workers stay by the first", async (t) => {
    const service = await startThreaded(t);
    await service.untilReady();
    const workers = await service.workerPids();
    const first = await service.agent();
    const restart = await runRollcall(t, ["restart", "agent", "--control", service.control]);
    assert.equal(restart.code, 0, restart.stderr);
    const second = await service.replaced(first);
    assert.deepEqual(await service.workerPids(), workers);
    const reload = await runRollcall(t, ["reload", "--agent", "--control", service.control]);
    assert.equal(reload.code, 0, reload.stderr);
    const third = await service.replaced(second);
    assert.equal(third.pid, first.pid);
    assert.equal(third.generation, 2);
    assert.equal((await service.self()).generation, 2);
  });

  test("told to end before its first statement comes to that and ends by itself: ended from outside while it links a module, it aborts Node 22", async (t) => {
    const still = `--node-arg=--require=${FIXTURES.replace("apps/", "stands-still.cjs")}`;
    const service = await startThreaded(t, { flags: [still], env: { STILL_MS: "500" } });
    await until("the thread has begun", () => service.output().includes("stands still"));
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
    assert.ok(service.hasLogged(/^agent stopped \(exited with code 0\)$/), service.output());
  });

  test("reaches the workers by process.send and by its parent port", async (t) => {
    const service = await startThreaded(t);
    await service.untilReady();
    for (const [deed, words] of [
      ["raw", "by process.send"],
      ["port", "by parentPort"],
    ] as const) {
      await service.deed(deed);
      await until(`${words} is heard`, () => service.output().includes(`worker 0 heard ${words}`));
    }
  });

  test("waits for its own child processes; those that it leaves behind are ended, and leave no zombie", async (t) => {
    const service = await startThreaded(t);
    await service.untilReady();
    const { pid } = await service.status();
    await service.deed("short");
    await until("it hears of the end of its child", () => service.output().includes("child exited with 0"));
    const before = await service.agent();
    await service.deed("start");
    const sleeper = await until("the sleeper is there", () => Number(/^sleeps: (\d+)$/m.exec(service.output())?.[1]));
    await service.deed("exit");
    await service.replaced(before);
    await until("the sleeper is gone", () => !isAlive(sleeper));
    await until("nobody is left as a zombie", () => zombiesOf(pid).length === 0);
    assert.ok(service.hasLogged(/^agent left 1 process behind: ended by SIGTERM$/));
    assert.equal((await service.workerPids()).length, 1);
  });
});
