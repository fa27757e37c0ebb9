import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cpuSeconds, descendantsOf, isSameProcess, pidsIn, readTextOrNull, residentMemoryBytes } from "../../../src/system/procfs.ts";
import { asPid1InForeignProc, noPid1 } from "../../helpers/namespaces.ts";

const isLinux = process.platform === "linux";

describe("procfs on a made-up /proc", () => {
  let root = "";

  before(() => {
    root = mkdtempSync(join(tmpdir(), "procfs-"));
    addProcess({ pid: 10, parentPid: 1, startTime: 100 });
    addProcess({ pid: 30, parentPid: 10, startTime: 300, command: "a) S 1 (b" });
    addProcess({ pid: 20, parentPid: 30, startTime: 400 });
    addProcess({ pid: 40, parentPid: 10, startTime: 500, state: "Z" });
    addProcess({ pid: 50, parentPid: 1, startTime: 600 });
    mkdirSync(join(root, "60")); // gone between readdir and read
    mkdirSync(join(root, "self"));
    mkdirSync(join(root, "70"));
    writeFileSync(join(root, "70", "stat"), "garbage");
    writeFileSync(join(root, "10", "status"), "Name:\tnode\nVmHWM:\t 9000 kB\nVmRSS:\t    4096 kB\n");
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  function addProcess(one: { pid: number; parentPid: number; startTime: number; state?: string; command?: string }): void {
    const { pid, parentPid, startTime, state = "S", command = "node" } = one;
    mkdirSync(join(root, String(pid)));
    const middle = "0 0 0 -1 4194560 1 0 0 0 150 50 7 7 20 0 11 0";
    writeFileSync(join(root, String(pid), "stat"), `${pid} (${command}) ${state} ${parentPid} ${middle} ${startTime} 1000000 500\n`);
  }

  it("lists children and grandchildren, parents first, whatever their command looks like, and no zombie", () => {
    assert.deepEqual(descendantsOf(10, root), [
      { pid: 30, startTime: 300 },
      { pid: 20, startTime: 400 },
    ]);
    assert.deepEqual(descendantsOf(20, root), []);
  });

  it("tells a reused pid and a zombie from the process that was meant", () => {
    assert.equal(isSameProcess(20, 400, root), true);
    assert.equal(isSameProcess(20, 399, root), false);
    assert.equal(isSameProcess(40, 500, root), false);
    assert.equal(isSameProcess(60, 1, root), false);
    assert.equal(isSameProcess(70, 1, root), false);
  });

  it("reads resident memory and CPU time", () => {
    assert.equal(residentMemoryBytes(10, root), 4096 * 1024);
    assert.equal(residentMemoryBytes(20, root), null);
    assert.equal(cpuSeconds(10, root), 2);
    assert.equal(cpuSeconds(60, root), null);
  });

  it("answers empty where /proc is absent", () => {
    const nowhere = join(root, "nowhere");
    assert.deepEqual(descendantsOf(1, nowhere), []);
    assert.deepEqual(pidsIn(nowhere), []);
    assert.equal(isSameProcess(1, 1, nowhere), false);
    assert.equal(residentMemoryBytes(1, nowhere), null);
    assert.equal(readTextOrNull(nowhere), null);
  });
});

describe("procfs on this machine", { skip: !isLinux }, () => {
  it("finds a spawned grandchild until it is gone", { timeout: 30_000 }, async () => {
    const grandchild = `setInterval(() => {}, 1000); console.log(process.pid)`;
    const child = spawn(
      process.execPath,
      ["-e", `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(grandchild)}], { stdio: "inherit" })`],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    try {
      const [output] = await once(child.stdout, "data", { signal: AbortSignal.timeout(20_000) });
      const pid = Number(String(output));
      const family = descendantsOf(process.pid);
      const found = family.find((one) => one.pid === pid);
      assert.ok(found !== undefined, `no ${pid} in ${JSON.stringify(family)}`);
      assert.ok(family.findIndex((one) => one.pid === child.pid) < family.indexOf(found));
      assert.equal(isSameProcess(found.pid, found.startTime), true);

      process.kill(found.pid, "SIGKILL");
      await once(child, "exit", { signal: AbortSignal.timeout(5_000) }); // the child waits for it, and for nothing else
      assert.equal(isSameProcess(found.pid, found.startTime), false);
    } finally {
      for (const { pid } of child.pid === undefined ? [] : descendantsOf(child.pid)) process.kill(pid, "SIGKILL");
      child.kill("SIGKILL");
    }
  });

  it("shows nothing where the numbers are those of another namespace", { skip: noPid1 }, () => {
    const script = `
      import { pidsIn, readStat } from ${JSON.stringify(new URL("../../../src/system/procfs.ts", import.meta.url).href)};
      import { preferForOom } from ${JSON.stringify(new URL("../../../src/system/oom-score.ts", import.meta.url).href)};
      preferForOom(${process.pid});
      console.log(JSON.stringify([pidsIn().length, readStat(process.pid), readStat(${process.pid})]));`;
    const before = readTextOrNull("/proc/self/oom_score_adj");
    const [command = "", ...args] = [...asPid1InForeignProc, process.execPath, "--input-type=module-typescript", "--eval", script];
    assert.deepEqual(JSON.parse(execFileSync(command, args, { encoding: "utf8" })), [0, null, null]);
    assert.equal(readTextOrNull("/proc/self/oom_score_adj"), before);
  });

  it("reads this process's memory and CPU time", () => {
    const resident = residentMemoryBytes(process.pid);
    assert.ok(resident !== null && resident > 10 * 1024 * 1024);
    const seconds = cpuSeconds(process.pid);
    assert.ok(seconds !== null && seconds >= 0 && seconds < 3600);
  });
});
