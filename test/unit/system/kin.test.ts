// Finding processes by a mark in their environment, on a made-up /proc and on the real one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { findKin, findKinNow, signalProcess } from "../../../src/system/kin.ts";
import { readStat } from "../../../src/system/procfs.ts";

describe("kin on a made-up /proc", () => {
  let root = "";

  before(() => {
    root = mkdtempSync(join(tmpdir(), "kin-"));
    add({ pid: 10, parentPid: 1, environ: "PATH=/bin\0MARK=a\0HOME=/\0" });
    add({ pid: 11, parentPid: 1, environ: "MARK=a" });
    add({ pid: 12, parentPid: 10, environ: "PATH=/bin\0" });
    add({ pid: 13, parentPid: 12, environ: "" });
    add({ pid: 14, parentPid: 1, environ: "XMARK=a\0Y=MARK=a\0" });
    add({ pid: 15, parentPid: 1, environ: "MARK=b\0" });
    add({ pid: 16, parentPid: 10, environ: "MARK=a\0", state: "Z" });
    // Read between two reads of a pid that was given away again: a circle.
    add({ pid: 17, parentPid: 18, environ: "" });
    add({ pid: 18, parentPid: 17, environ: "" });
    add({ pid: 19, parentPid: 15, environ: null });
    mkdirSync(join(root, "20"));
  });

  after(() => rmSync(root, { recursive: true, force: true }));

  function add(one: { pid: number; parentPid: number; environ: string | null; state?: string }): void {
    const { pid, parentPid, environ, state = "S" } = one;
    mkdirSync(join(root, String(pid)));
    const middle = "0 7 0 -1 4194560 1 0 0 0 150 50 7 7 20 0 11 0";
    writeFileSync(join(root, String(pid), "stat"), `${pid} (x) ${state} ${parentPid} ${middle} ${pid * 10} 1000000 500\n`);
    if (environ !== null) writeFileSync(join(root, String(pid), "environ"), environ);
  }

  it("takes who carries the mark, and who descends from one, whatever its own environment", async () => {
    const pids = [10, 11, 12, 13];
    assert.deepEqual(
      findKinNow("MARK", (mark) => mark === "a", root),
      pids.map((pid) => ({ pid, startTime: pid * 10, session: 7, mark: "a" })),
    );
    assert.deepEqual(
      (await findKin("MARK", (mark) => mark === "b", root)).map(({ pid, mark }) => [pid, mark]),
      [
        [15, "b"],
        [19, "b"],
      ],
    );
  });

  it("finds nobody where there is no /proc", async () => {
    assert.deepEqual(await findKin("MARK", () => true, join(root, "missing")), []);
  });
});

describe("a signal to a process", { skip: process.platform !== "linux" }, () => {
  it("reaches the one that was meant, and never a later one of the same pid", async (t) => {
    const child = spawn("sleep", ["1000"], { stdio: "ignore" });
    t.after(() => child.kill("SIGKILL"));
    const pid = child.pid as number;
    const startTime = readStat(pid)?.startTime as number;
    const ended = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
    signalProcess({ pid, startTime: startTime - 1 }, "SIGKILL");
    signalProcess({ pid, startTime }, "SIGTERM");
    assert.equal(await ended, "SIGTERM");
  });
});
