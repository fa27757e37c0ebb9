import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { getEventListeners } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { schedulableCpus, schedulingOf, setScheduling } from "../../../src/system/cpu-scheduling.ts";
import { descendantsOf } from "../../../src/system/procfs.ts";
import { killTree } from "../../helpers/processes.ts";
import { until } from "../../helpers/until.ts";

describe("CPU scheduling", { skip: process.platform === "linux" ? false : "only Linux has it" }, () => {
  const { signal } = new AbortController();

  it("sets a process to batch and back, with what it starts meanwhile", async (t) => {
    const shell = startShell(t);
    assert.equal(schedulingOf(shell.pid), "other");
    assert.equal(await setScheduling(shell.pid, "batch", signal), null);
    assert.equal(schedulingOf(shell.pid), "batch");
    shell.start("sleep 100");
    const started = await until("the shell has started something", () => descendantsOf(shell.pid)[0]);
    assert.equal(schedulingOf(started.pid), "batch");
    assert.equal(await setScheduling(shell.pid, "other", signal), null);
    assert.equal(schedulingOf(shell.pid), "other");
  });

  it("tells a policy of somebody's own, one that cannot be seen, and a process that has ended", async (t) => {
    const shell = startShell(t);
    execFileSync("chrt", ["-i", "-p", "0", String(shell.pid)]);
    assert.equal(schedulingOf(shell.pid), "another");
    assert.equal(schedulingOf(shell.pid, "/nowhere"), null);
    killTree(shell.pid);
    await shell.ended;
    assert.equal(schedulingOf(shell.pid), undefined);
    assert.equal(schedulingOf(shell.pid, "/nowhere"), undefined);
  });

  it("leaves nothing on the signal where there is no chrt", async (t) => {
    const shell = startShell(t);
    const { PATH } = process.env;
    t.after(() => (process.env.PATH = PATH));
    process.env.PATH = "/nowhere";
    for (let times = 0; times < 3; times++) assert.match((await setScheduling(shell.pid, "batch", signal)) ?? "", /ENOENT/);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  it("does nothing to a process that has ended", async (t) => {
    const gone = startShell(t);
    killTree(gone.pid);
    await gone.ended;
    assert.equal(await setScheduling(gone.pid, "batch", signal), null);
  });

  it("says why it cannot", async (t) => {
    const shell = startShell(t);
    useFakeChrt(t, "exit 1");
    assert.equal(await setScheduling(shell.pid, "batch", signal), `chrt -b -p 0 ${shell.pid} ended with 1`);
  });

  it("ends a chrt that is wanted no more", async (t) => {
    const shell = startShell(t);
    const folder = useFakeChrt(t, 'echo $$ >"$(dirname "$0")/pid"; exec /bin/sleep 100');
    const controller = new AbortController();
    const set = setScheduling(shell.pid, "batch", controller.signal);
    const pid = Number(await until("it has started", () => readFileSync(join(folder, "pid"), "utf8").trim()));
    controller.abort();
    assert.equal(await set, null);
    await until("it has ended", () => schedulingOf(pid) === undefined);
  });

  it("goes without chrt", async (t) => {
    usePath(t, "/nowhere");
    assert.match((await setScheduling(process.pid, "batch", signal)) ?? "", /ENOENT/);
    assert.equal(schedulingOf(process.pid), "other");
  });

  it("counts the CPUs of an affinity", (t) => {
    const root = mkdtempSync(join(tmpdir(), "affinity-"));
    t.after(() => rmSync(root, { recursive: true, force: true }));
    mkdirSync(join(root, "self"));
    const counted = (list: string): number | null => {
      writeFileSync(join(root, "self", "status"), `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems_allowed_list:\t0\n`);
      return schedulableCpus(root);
    };
    assert.equal(counted("0"), 1);
    assert.equal(counted("0-1"), 2);
    assert.equal(counted("0-3,7,10-11"), 7);
    assert.equal(counted(""), null);
    assert.equal(schedulableCpus(join(root, "nowhere")), null);
  });
});

function startShell(t: TestContext): { readonly pid: number; readonly ended: Promise<unknown>; start(command: string): void } {
  const shell = spawn("sh", { stdio: ["pipe", "ignore", "ignore"] });
  const pid = shell.pid as number;
  const ended = new Promise((resolve) => shell.once("exit", resolve));
  t.after(() => {
    killTree(pid);
    return ended;
  });
  return { pid, ended, start: (command) => void shell.stdin.write(`${command}\n`) };
}

/** @returns the folder that it lies in */
function useFakeChrt(t: TestContext, script: string): string {
  const folder = mkdtempSync(join(tmpdir(), "chrt-"));
  writeFileSync(join(folder, "chrt"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  usePath(t, `${folder}:${process.env.PATH}`);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function usePath(t: TestContext, path: string): void {
  const { PATH } = process.env;
  t.after(() => (process.env.PATH = PATH));
  process.env.PATH = path;
}
