// Known weak points of the classic multi-process servers, by their numbers in docs/weak-points.md: the agent, the master itself, and what others start.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask, pidOf, replaced, steer } from "../fixtures/apps/roll-steering.ts";
import { accepts } from "../helpers/load.ts";
import { asPid1, noReaper } from "../helpers/namespaces.ts";
import { startPost } from "../helpers/post.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import { runRollcall, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const AGENT = { app: "roll-steered.mjs", agent: "roll-steered.mjs", workers: 1 } as const;
const QUICK = ["--backoff-delay", "50ms", "--backoff-limit", "100ms", "--roll-call-period", "10m", "--drain-idle", "50ms"];

/** A folder with these commands and nothing else: for PATH. */
function pathOf(t: TestContext, ...commands: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "wp-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const command of commands)
    symlinkSync(spawnSync("sh", ["-c", `command -v ${command}`], { encoding: "utf8" }).stdout.trim(), join(folder, command));
  return folder;
}

describe("weak points of the agent, the master and the rest", { concurrency: 2 }, () => {
  test("W12: as PID 1, the app's orphaned helpers are reaped: no zombie stays", { skip: noReaper }, async (t) => {
    const service = await startService(t, { app: "descendants.mjs", workers: 1, flags: QUICK, wrapper: asPid1 ?? [] });
    await service.untilReady();
    for (let count = 0; count < 6; count++) {
      const started = JSON.parse(await (await fetch(service.url("/start"), { headers: { connection: "close" } })).text()) as object;
      assert.equal(Object.keys(started).length, 6);
    }
    // Their worker goes, and they with it: nobody's but PID 1's.
    const { code, stderr } = await runRollcall(t, ["restart", "0", "--control", service.control]);
    assert.equal(code, 0, stderr);
    await until("the orphans and daemons are reaped", async () => (await service.metric("rollcall_orphans_reaped_total")) >= 12);
    await until("no zombie is left", async () => (await service.metric("rollcall_zombies")) === 0);
  });

  test("W13: the end of the master by SIGKILL is told by the exit, and its children go", async (t) => {
    const service = await startService(t, { ...AGENT, env: steer(t).env, flags: QUICK });
    await service.untilReady();
    const children = childrenOf(service.pid);
    assert.ok(children.length >= 2);
    service.signal("SIGKILL");
    const { code, signal } = await service.exited();
    assert.deepEqual([code, signal], [null, "SIGKILL"], "137 for whoever asks a shell or an engine");
    await until("its children are gone", () => !children.some(isAlive));
    assert.equal(await accepts(service.appPort), false);
  });

  test("W14: descendants go without any ps in the image", async (t) => {
    const env = { PATH: pathOf(t, "sh", "sleep", "setsid") };
    const service = await startService(t, { app: "descendants.mjs", workers: 1, flags: QUICK, env });
    await service.untilReady();
    assert.ok(!readdirSync(env.PATH).includes("ps"));
    const started = JSON.parse(await (await fetch(service.url("/start"), { headers: { connection: "close" } })).text()) as Record<
      string,
      number
    >;
    const pids = Object.values(started);
    t.after(() => {
      for (const pid of pids) kill(pid);
    });
    await until("they run", () => pids.every(isAlive));
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
    assert.deepEqual(pids.filter(isAlive), []);
    assert.doesNotMatch(service.output(), /ENOENT|uncaught/);
  });

  test("W15: a letter to an agent that is down is dropped and counted, and throws in nobody", async (t) => {
    const service = await startPost(t, { flags: ["--backoff-delay", "30s", "--backoff-limit", "30s", "--agent-grace", "60s"] });
    const agent = await service.pidOf("agent");
    // The first restart is at once: the second one waits.
    kill(agent);
    const next = await until("another agent is there", async () => {
      const pid = (await service.status()).agent?.processes.find(({ state }) => state === "ready")?.pid;
      return pid === agent ? null : pid;
    });
    kill(next);
    await until("there is none", async () => (await service.status()).agent?.processes.length === 0);
    for (let count = 0; count < 20; count++) await service.tell("worker", "sendTo", next, "hello", count);
    const absent = 'rollcall_messages_dropped_total{reason="absent"}';
    await until("all are dropped", async () => (await service.metric(absent)) >= 20);
    assert.doesNotMatch(service.output(), /TypeError|unexpected error/);
    assert.equal(await service.probe("live"), 200);
  });

  test("W17: a crash loop of the agent is met with backoff, a limit, and exit 6", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...AGENT, env: steering.env, flags: [...QUICK, "--max-restarts", "4"] });
    await service.untilReady();
    steering.on("die", "agent");
    assert.equal((await service.exited()).code, 6, service.output());
    assert.ok(service.hasLogged(/^crash loop: the agent failed 4 times in a row/));
    assert.ok(service.log().filter(({ msg }) => /^agent ready in /.test(msg)).length <= 5);
    assert.doesNotMatch(service.output(), /MaxListenersExceededWarning/);
  });

  test("W19: an exception in the agent is survived by default, and restarts it where that is asked for", async (t) => {
    const steering = steer(t);
    const surviving = await startService(t, { ...AGENT, env: steering.env, flags: QUICK });
    await surviving.untilReady();
    const agent = await pidOf(surviving, "agent");
    steering.on("throw", "agent");
    await until("it has been told", () => surviving.hasLogged(/^agent: uncaught Error: thrown once; it lives on/));
    assert.equal(await pidOf(surviving, "agent"), agent);
    const other = steer(t);
    const restarting = await startService(t, { ...AGENT, env: other.env, flags: [...QUICK, "--agent-uncaught", "restart"] });
    await restarting.untilReady();
    const before = await pidOf(restarting, "agent");
    other.on("throw", "agent");
    await replaced(restarting, "agent", before);
    assert.ok(Number(await ask(restarting)) > 0);
  });
});
