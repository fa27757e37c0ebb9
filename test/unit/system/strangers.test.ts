// Which children are strangers: by the kernel's list where there is one, by a look at all processes elsewhere, and never one of our own.
import assert from "node:assert/strict";
import { fork, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { deadStranger, ownPids, strangersOf, watchOwnChildren } from "../../../src/system/strangers.ts";
import { until } from "../../helpers/until.ts";

const NONE: ReadonlySet<number> = new Set();

function madeUpProc(t: TestContext, self = "7"): string {
  const root = mkdtempSync(join(tmpdir(), "proc-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  symlinkSync(self, join(root, "self"));
  return root;
}

function addStat(root: string, pid: number, state: string, parent: number): void {
  mkdirSync(join(root, String(pid)), { recursive: true });
  writeFileSync(
    join(root, String(pid), "stat"),
    `${pid} (a) Z b) ${state} ${parent} 0 0 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 ${pid * 10} 0 0\n`,
  );
}

describe("strangers", () => {
  it("are the children that the kernel lists for each thread, without our own", (t) => {
    const root = madeUpProc(t);
    for (const [task, children] of [
      ["7", "20 30 "],
      ["8", "40 "],
      ["9", ""],
    ]) {
      mkdirSync(join(root, "7", "task", task as string), { recursive: true });
      writeFileSync(join(root, "7", "task", task as string, "children"), children as string);
    }
    assert.deepEqual(strangersOf(7, new Set([30]), root), [20, 40]);
  });

  it("are sought among all processes where the kernel has no such list", (t) => {
    const root = madeUpProc(t);
    mkdirSync(join(root, "7", "task", "7"), { recursive: true });
    addStat(root, 20, "Z", 7);
    addStat(root, 30, "S", 7);
    addStat(root, 40, "Z", 9);
    assert.deepEqual(strangersOf(7, NONE, root), [20, 30, 40]);
    assert.deepEqual(deadStranger(20, 7, root), { pid: 20, startTime: 200 });
    assert.equal(deadStranger(30, 7, root), null, "it lives");
    assert.equal(deadStranger(40, 7, root), null, "it is another's");
    assert.equal(deadStranger(50, 7, root), null, "it is gone");
  });

  it("cannot be told where /proc is hidden or shows other processes", (t) => {
    assert.equal(strangersOf(7, NONE, "/nonexistent"), null);
    assert.equal(strangersOf(8, NONE, madeUpProc(t)), null);
  });

  it("are never what this process started, by whatever call, until its exit was seen", async (t) => {
    watchOwnChildren();
    const children = [
      spawn("sleep", ["60"]),
      fork("-e", ["setTimeout(() => {}, 60000)"], { execArgv: ["-e", "setTimeout(() => {}, 60000)"] }),
    ];
    t.after(() => {
      for (const child of children) child.kill("SIGKILL");
    });
    spawn("/nonexistent").on("error", () => {});
    await until("all are known", () => children.every((child) => ownPids().has(child.pid as number)));
    assert.deepEqual(strangersOf(process.pid, ownPids()), []);
    children[0]?.kill("SIGKILL");
    await until("one is gone", () => !ownPids().has(children[0]?.pid as number));
    assert.deepEqual([...ownPids()], [children[1]?.pid]);
  });
});
