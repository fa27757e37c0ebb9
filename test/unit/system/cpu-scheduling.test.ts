import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { isScheduledAsUsual, schedulableCpus, setScheduling } from "../../../src/system/cpu-scheduling.ts";
import { descendantsOf, readStat } from "../../../src/system/procfs.ts";
import { killTree } from "../../helpers/processes.ts";
import { until } from "../../helpers/until.ts";

const OTHER = 0;
const BATCH = 3;

describe("CPU scheduling", { skip: process.platform === "linux" ? false : "only Linux has it" }, () => {
  const policyOf = (pid: number): number | undefined => readStat(pid)?.schedulingPolicy;

  it("sets a process to batch and back, with what it starts meanwhile", async (t) => {
    const shell = startShell(t);
    assert.equal(policyOf(shell.pid), OTHER);
    assert.equal(isScheduledAsUsual(shell.pid), true);
    assert.equal(await setScheduling(shell.pid, "batch"), null);
    assert.equal(policyOf(shell.pid), BATCH);
    assert.equal(isScheduledAsUsual(shell.pid), false);
    shell.start("sleep 100");
    const started = await until("the shell has started something", () => descendantsOf(shell.pid)[0]);
    assert.equal(policyOf(started.pid), BATCH);
    assert.equal(await setScheduling(shell.pid, "other"), null);
    assert.equal(policyOf(shell.pid), OTHER);
  });

  it("does nothing to a process that has ended", async (t) => {
    const gone = startShell(t);
    killTree(gone.pid);
    await gone.ended;
    assert.equal(await setScheduling(gone.pid, "batch"), null);
  });

  it("says why it cannot", async (t) => {
    const shell = startShell(t);
    const folder = mkdtempSync(join(tmpdir(), "chrt-"));
    writeFileSync(join(folder, "chrt"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    usePath(t, folder);
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    assert.equal(await setScheduling(shell.pid, "batch"), `chrt -b -p 0 ${shell.pid} ended with 1`);
  });

  it("goes without chrt", async (t) => {
    usePath(t, "/nowhere");
    assert.match((await setScheduling(process.pid, "batch")) ?? "", /ENOENT/);
    assert.equal(policyOf(process.pid), OTHER);
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

function usePath(t: TestContext, path: string): void {
  const { PATH } = process.env;
  t.after(() => (process.env.PATH = PATH));
  process.env.PATH = path;
}
