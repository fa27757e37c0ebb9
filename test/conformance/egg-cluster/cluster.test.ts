// What egg-cluster's tests ask of a running cluster and nothing else here holds: one service, started by startCluster() as by egg-cluster's own.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startClusterProgram } from "../../helpers/cluster-program.ts";
import { scratch } from "../../helpers/mistakes.ts";
import { freePort } from "../../helpers/ports.ts";
import { isAlive, kill } from "../../helpers/processes.ts";
import { until } from "../../helpers/until.ts";
import { BASE, type Facts, FRAMEWORK, factsAt } from "./framework.ts";

test("a cluster of two workers", async (t) => {
  const port = await freePort();
  const pidFile = join(scratch(t), "master.pid");
  const program = await startClusterProgram(
    t,
    {
      ...{ baseDir: BASE, framework: FRAMEWORK, workers: "2", port: String(port), env: "local", pidFile, debugPort: null, plugins: null },
      ...{ foo: { passed: "through" }, require: [join(BASE, "first.js"), join(BASE, "second.js")] },
    },
    { CUSTOM: "of the environment" },
  );
  await program.untilLetter("egg-ready");
  const url = (path: string): string => `http://127.0.0.1:${port}${path}`;
  /** Of both workers, by slot. */
  const factsOfBoth = async (): Promise<readonly Facts[]> => {
    const seen = new Map<string, Facts>();
    await until("both workers answer", async () => {
      const facts = await factsAt(url("/"));
      return isAlive(facts.pid) && seen.set(facts.index, facts).size === 2;
    });
    return [...seen.values()].sort((a, b) => Number(a.index) - Number(b.index));
  };
  const agentPid = (): number => Number([...program.output().matchAll(/agent (\d+) begins/g)].at(-1)?.[1]);
  /** Until all workers, one, or none but the agent have heard the action, with these data, from whom. */
  const untilHeard = async (action: string, from: string, pids: readonly number[]): Promise<void> => {
    await until(`${action} is heard from ${from} by ${pids.join(", ") || "nobody"}`, async () => {
      const facts = await factsOfBoth();
      const hearers = facts.filter(({ heard }) => heard.some((each) => each.action === action && each.from === from));
      return hearers.map(({ pid }) => pid).join() === pids.join();
    });
  };
  const untilAgentHeard = (action: string, data: unknown): Promise<boolean> =>
    until(`the agent hears ${action}`, () => program.output().includes(`agent heard ${action} ${JSON.stringify(data)}\n`));
  const asWorker = (message: unknown): Promise<Facts> => factsAt(url("/say"), JSON.stringify(message));
  const asAgent = (message: unknown): Promise<Facts> => asWorker({ action: "say", data: message, to: "agent" });
  const [first, second] = await factsOfBoth();
  assert.ok(first !== undefined && second !== undefined);
  const both = [first.pid, second.pid];

  await t.test("options reach the application untouched, and null is none", () => {
    const { foo, env, port: given, baseDir, framework, debugPort, plugins, clusterPort, startMode } = first.options;
    assert.deepEqual([foo, env, given, baseDir, framework], [{ passed: "through" }, "local", port, BASE, FRAMEWORK]);
    assert.deepEqual([debugPort, plugins, startMode, typeof clusterPort], [undefined, undefined, "process", "number"]);
  });

  await t.test("the environment reaches the workers, with NO_DEPRECATION in production and cfork's index by slot", () => {
    assert.deepEqual([first.custom, first.noDeprecation, first.index, second.index], ["of the environment", "*", "0", "1"]);
  });

  await t.test("modules of `require` come first, in the agent and in workers", () => {
    assert.deepEqual(first.loaded, ["first", "second"]);
    assert.match(program.output(), /agent \d+ begins with first,second$/m);
  });

  await t.test("the application is given the server before it listens, and none listens to its errors after ready but itself", () => {
    assert.deepEqual([first.isGivenServer, first.errorListenersBefore, first.errorListeners], [true, 2, 1]);
  });

  await t.test("what the agent logs in its own way goes through as it is", () => {
    assert.match(program.output(), /^\[custom logger\] agent \d+ begins/m);
  });

  await t.test("the parent's messages reach the agent and every worker", async () => {
    program.process.send({ action: "parent-to-app", data: 1, to: "app" });
    await untilHeard("parent-to-app", "parent", both);
    program.process.send({ action: "parent-to-agent", data: 2, to: "agent" });
    await untilAgentHeard("parent-to-agent", 2);
  });

  await t.test("messages of the agent and of workers reach the parent, and say who they are from", async () => {
    await asWorker({ action: "app-to-parent", data: 1, to: "parent", from: "agent" });
    assert.equal((await program.untilLetter("app-to-parent")).from, "app");
    await asAgent({ action: "agent-to-parent", data: 2, to: "parent" });
    assert.equal((await program.untilLetter("agent-to-parent")).from, "agent");
  });

  await t.test("agent and workers hear each other where a message says nothing else, a plain word too", async () => {
    await asWorker({ action: "app-to-agent", data: 1 });
    await untilAgentHeard("app-to-agent", 1);
    await asWorker("word-to-agent");
    await untilAgentHeard("word-to-agent", "word-to-agent");
    await asAgent({ action: "agent-to-app", data: 2 });
    await untilHeard("agent-to-app", "agent", both);
    await asAgent("word-to-app");
    await untilHeard("word-to-app", "agent", both);
  });

  await t.test("receiverPid names one process, whatever `to` says, from the agent and from workers", async () => {
    await asWorker({ action: "app-to-one", receiverPid: String(second.pid), to: "agent" });
    await untilHeard("app-to-one", "app", [second.pid]);
    await asAgent({ action: "agent-to-one", receiverPid: String(first.pid) });
    await untilHeard("agent-to-one", "agent", [first.pid]);
    await asWorker({ action: "app-to-agent-pid", data: 1, receiverPid: String(agentPid()), to: "app" });
    await untilAgentHeard("app-to-agent-pid", 1);
    await asAgent({ action: "agent-to-itself", data: 2, receiverPid: String(agentPid()) });
    await untilAgentHeard("agent-to-itself", 2);
  });

  await t.test("an error that the application ignores costs no worker, another one does; its successor has its index", async () => {
    const { pid: spared } = await factsAt(url("/throw"), "EIGNORED");
    await until("it is logged", () => /framework logged thrown in a request/.test(program.output()));
    assert.ok((await factsOfBoth()).some(({ pid }) => pid === spared));
    const { pid: thrower, index } = await factsAt(url("/throw"), "EOTHER");
    await until("it has gone", () => !isAlive(thrower));
    await until("its successor serves", async () => (await factsOfBoth()).some((each) => each.index === index && each.pid !== thrower));
  });

  await t.test("the agent lives on when it throws, be it a mere word", async () => {
    const before = agentPid();
    await asWorker({ action: "throw", data: "a mere word", to: "agent" });
    await until("it is logged", () => /"msg":"agent: .*a mere word/.test(program.output()));
    await asWorker({ action: "after-the-word", data: 1 });
    await untilAgentHeard("after-the-word", 1);
    assert.equal(agentPid(), before);
  });

  await t.test("a stop closes agent and workers, ends with 0, and bears that the pid file is gone", async () => {
    const { pid } = (await (await fetch(`http://127.0.0.1:${program.metricsPort}/status`)).json()) as { pid: number };
    assert.equal(Number(readFileSync(pidFile, "utf8")), pid);
    rmSync(pidFile);
    program.process.kill("SIGTERM");
    assert.equal(await program.exited, 0, program.output());
    assert.ok(!existsSync(pidFile));
    assert.match(program.output(), /Application \d+ closed[\s\S]*Agent \d+ closed/);
    assert.ok(!isAlive(pid));
  });
});

test("an agent that dies while the workers boot ends the start with 4, and leaves no worker", async (t) => {
  const port = await freePort();
  const program = await startClusterProgram(t, { baseDir: BASE, framework: FRAMEWORK, workers: 1, port, appDoes: "waits" });
  const pidOf = (pattern: RegExp): Promise<number> => until(`${pattern} is said`, () => Number(pattern.exec(program.output())?.[1]));
  const worker = await pidOf(/app (\d+) begins/);
  kill(await pidOf(/agent (\d+) begins/));
  assert.equal(await program.exited, 4, program.output());
  assert.ok(!isAlive(worker));
  assert.deepEqual(
    program.letters.map(({ action }) => action),
    [],
    "it never was ready",
  );
});
