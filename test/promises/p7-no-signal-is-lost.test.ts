// TERM before the service runs: as PID 1 at any moment from the first statement on, while the configuration is read, while agent and workers boot.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { asPid1, noPid1 } from "../helpers/namespaces.ts";
import { childrenOf, isAlive } from "../helpers/processes.ts";
import { FIXTURES, type Service, startService } from "../helpers/service.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

const SLACK_MS = 6_000;
const STOP_TIMEOUT_MS = 5_000;

/** Whether the process has a handler for HUP: Node has none, and the entry file's first statement installs that and the others. */
function hasHandlers(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return (BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)/m.exec(status)?.[1]}`) & 1n) === 1n;
}

/** Returns in the moment in which the first statement has run: it is a matter of milliseconds, so it is looked for without a pause. */
function spinUntilHandlers(pid: number): void {
  const endsAt = performance.now() + DEADLINE_MS;
  while (!hasHandlers(pid)) assert.ok(performance.now() < endsAt, "the handlers were never installed");
}

async function endsWith(service: Service, code: number): Promise<void> {
  const exit = await service.exited();
  assert.equal(exit.code, code, service.output());
  assert.ok(exit.afterMs < STOP_TIMEOUT_MS + SLACK_MS, `it took ${exit.afterMs} ms`);
}

test("the entry file's first statement installs the handlers, its second holds the channel to a parent, and what they load loads nothing else", () => {
  const code = (path: string): string =>
    readFileSync(new URL(`../../src/${path}`, import.meta.url), "utf8").replace(/^(#!|\/\/).*\n/gm, "");
  const entry = /^import [^;]* from "\.\.\/system\/signals\.ts";\nimport "\.\.\/system\/parent-hold\.ts";\n(?<rest>[\s\S]*)$/.exec(
    code("cli/rollcall.ts").trim(),
  );
  assert.ok(entry !== null, "these two, in this order");
  assert.doesNotMatch(entry.groups?.rest ?? "", /^import /m, "everything else is loaded later, by import()");
  for (const path of ["system/signals.ts", "system/parent-hold.ts"]) assert.doesNotMatch(code(path), /^import (?!type )/m);
});

describe("TERM", { concurrency: 2 }, () => {
  const skip = noPid1;
  for (const delayMs of [0, 20, 50, 100, 300, 600]) {
    test(`W2: as PID 1, ${delayMs} ms after the first statement, is never lost`, { skip }, async (t) => {
      const flags = ["--stop-timeout", `${STOP_TIMEOUT_MS}ms`];
      const options = { app: "stop-boot.mjs", agent: "stop-agent.mjs", workers: 2, env: { BOOT_MS: "1000" }, flags };
      const service = await startService(t, { ...options, wrapper: asPid1 ?? [] });
      const master = await until("the master is there", () => childrenOf(service.pid)[0]);
      spinUntilHandlers(master);
      // The time is what is tested.
      if (delayMs > 0) await sleep(delayMs);
      process.kill(master, "SIGTERM");
      const others = childrenOf(master);
      await endsWith(service, 0);
      assert.deepEqual([master, ...others].filter(isAlive), []);
    });
  }

  for (const { name, env } of [
    { name: "an app that takes 60 s to boot", env: { BOOT_MS: "60000" } },
    { name: "an app that blocks its event loop for 1 s as it boots", env: { BOOT_MS: "1000", BOOT_BLOCKS: "1" } },
  ]) {
    test(`while booting ${name} ends it with 0 and nothing left`, async (t) => {
      const service = await startService(t, { app: "stop-boot.mjs", workers: 2, env, flags: ["--stop-timeout", `${STOP_TIMEOUT_MS}ms`] });
      await until("both boot", () => service.output().split("app: boot begins").length === 3);
      const children = childrenOf(service.pid);
      // On a busy machine the short boot may be over by then.
      await until("the probes answer", async () => (await service.probe("live").catch(() => 0)) === 200);
      service.signal("SIGTERM");
      await endsWith(service, 0);
      assert.deepEqual(children.filter(isAlive), []);
    });
  }

  test("while booting an app that blocks its event loop for longer than the budget kills it, with exit 8", async (t) => {
    const env = { BOOT_MS: "60000", BOOT_BLOCKS: "1" };
    const service = await startService(t, { app: "stop-boot.mjs", workers: 1, env, flags: ["--stop-timeout", `${STOP_TIMEOUT_MS}ms`] });
    await until("it boots", () => service.output().includes("app: boot begins"));
    const children = childrenOf(service.pid);
    service.signal("SIGTERM");
    await endsWith(service, 8);
    assert.deepEqual(children.filter(isAlive), []);
  });

  for (const { who, agent, mode = "process" } of [
    { who: "workers" },
    { who: "an agent", agent: "stop-agent.mjs" },
    { who: "an agent in a thread", agent: "stop-agent.mjs", mode: "thread" },
  ]) {
    test(`before ${who} came to a first statement, which takes seconds on a busy machine, ends it at once`, async (t) => {
      const still = `--node-arg=--require=${FIXTURES.replace("apps/", "stands-still.cjs")}`;
      const flags = ["--stop-timeout", `${STOP_TIMEOUT_MS}ms`, "--agent-mode", mode, still];
      const service = await startService(t, { app: "http.mjs", workers: 2, flags, ...(agent === undefined ? {} : { agent }) });
      const expected = agent === undefined ? 2 : 1;
      await until("they stand still", () => service.output().split("stands still").length > expected);
      const children = childrenOf(service.pid);
      service.signal("SIGTERM");
      await endsWith(service, 0);
      assert.deepEqual(children.filter(isAlive), []);
    });
  }

  test("while the agent boots forks no worker any more and exits 0", async (t) => {
    const options = { app: "http.mjs", agent: "stop-boot.mjs", workers: 2, env: { BOOT_MS: "60000" } };
    const service = await startService(t, { ...options, flags: ["--stop-timeout", `${STOP_TIMEOUT_MS}ms`] });
    await until("the agent boots", () => service.output().includes("app: boot begins"));
    service.signal("SIGTERM");
    await endsWith(service, 0);
    assert.equal(service.hasLogged(/^worker/), false, service.output());
  });

  test("to the whole group, when the children have hardly been forked, exits 0", async (t) => {
    const flags = ["--stop-timeout", `${STOP_TIMEOUT_MS}ms`];
    const service = await startService(t, { app: "stop-boot.mjs", workers: 2, env: { BOOT_MS: "1000" }, flags, detached: true });
    const children = await until("the first child is there", () => {
      const found = childrenOf(service.pid);
      return found.length > 0 ? found : null;
    });
    process.kill(-service.pid, "SIGTERM");
    await endsWith(service, 0);
    assert.deepEqual(children.filter(isAlive), []);
  });

  test("while a config file runs ends it too, and exits 0", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "rollcall-test-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await writeFile(
      join(folder, "rollcall.config.mjs"),
      'console.log("config runs"); setInterval(() => {}, 1000); await new Promise(() => {});',
    );
    const service = await startService(t, { app: "http.mjs", workers: 1, cwd: folder });
    await until("the config file runs", () => service.output().includes("config runs"));
    const children = childrenOf(service.pid);
    assert.equal(children.length, 1);
    t.after(() => children.filter(isAlive).forEach((pid) => void process.kill(pid, "SIGKILL")));
    service.signal("SIGTERM");
    await endsWith(service, 0);
    await until("it is gone", () => !children.some(isAlive));
  });
});
