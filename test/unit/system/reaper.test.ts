// The two-scan rule on children that are made up: what is reaped, when, and what never.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Reaper } from "../../../src/system/reaper.ts";

class Kernel {
  /** Children that are not ours; the start time of a dead one, null for one that lives. */
  readonly children: Map<number, number | null> = new Map();
  readonly waitedFor: number[] = [];
  isHidden = false;
  looks = 0;
  readonly reaper: Reaper = new Reaper({
    strangers: () => (this.isHidden ? null : [...this.children.keys()]),
    zombie: (pid) => {
      this.looks++;
      const startTime = this.children.get(pid) ?? null;
      return startTime === null ? null : { pid, startTime };
    },
    reap: (pid) => {
      this.waitedFor.push(pid);
      const isDead = this.children.get(pid) != null;
      if (isDead) this.children.delete(pid);
      return isDead ? 256 : null;
    },
  });
}

describe("the reaper", () => {
  it("reaps a stranger that was a zombie in the scan before, and nothing sooner", () => {
    const kernel = new Kernel();
    kernel.children.set(10, 1).set(11, null);
    assert.deepEqual(kernel.reaper.scan(), { isSighted: true, reaped: [], zombies: 1, isPartial: false, isBehind: false });
    assert.deepEqual(kernel.waitedFor, []);
    assert.deepEqual(kernel.reaper.scan().reaped, [{ pid: 10, status: 256 }]);
    assert.deepEqual(kernel.reaper.scan(), { isSighted: true, reaped: [], zombies: 0, isPartial: false, isBehind: false });
    assert.deepEqual(kernel.waitedFor, [10]);
  });

  it("begins anew with a pid that was gone, or has become another process, between two scans", () => {
    const kernel = new Kernel();
    kernel.children.set(10, 1).set(20, 1);
    kernel.reaper.scan();
    kernel.children.delete(10);
    kernel.children.set(20, 2);
    kernel.reaper.scan();
    kernel.children.set(10, 1);
    assert.deepEqual(
      kernel.reaper.scan().reaped.map(({ pid }) => pid),
      [20],
    );
    assert.deepEqual(kernel.waitedFor, [20]);
  });

  it("counts what cannot be reaped as zombies", () => {
    const kernel = new Kernel();
    const gauge = new Reaper({ strangers: () => [10], zombie: (pid) => ({ pid, startTime: 1 }), reap: () => null });
    gauge.scan();
    assert.deepEqual([gauge.scan().zombies, gauge.scan().zombies], [1, 1]);
    kernel.isHidden = true;
    assert.equal(kernel.reaper.scan().isSighted, false);
  });

  it("looks at no more than 500 in one scan, and reaches the dead behind any number of the living", () => {
    const kernel = new Kernel();
    for (let pid = 1; pid <= 1_800; pid++) kernel.children.set(pid, pid > 1_700 ? 1 : null);
    for (let scans = 0; scans < 12; scans++) {
      const before = kernel.looks;
      assert.equal(kernel.reaper.scan().isPartial, true);
      assert.ok(kernel.looks - before <= 500);
    }
    assert.deepEqual(kernel.children.size, 1_700);
    assert.equal(kernel.waitedFor.length, 100);
    assert.equal(kernel.reaper.scan().isBehind, false, "who lives is no work");
  });

  it("reaps in the next scan what it has found dead, however many come meanwhile, and says that it is behind", () => {
    const kernel = new Kernel();
    let next = 1;
    for (let scans = 0; scans < 10; scans++) {
      for (let come = 0; come < 400; come++) kernel.children.set(next++, 1);
      const { zombies } = kernel.reaper.scan();
      for (let come = 0; come < 400; come++) kernel.children.set(next++, 1);
      const { reaped, isBehind } = kernel.reaper.scan();
      assert.ok(reaped.length >= Math.min(zombies, 400), `${reaped.length} of ${zombies}`);
      assert.equal(isBehind, true);
    }
  });

  it("counts more than one scan looks at, where none of them can be reaped", () => {
    const dead = Array.from({ length: 1_800 }, (_, index) => index + 1);
    const gauge = new Reaper({ strangers: () => dead, zombie: (pid) => ({ pid, startTime: 1 }), reap: () => null });
    const seen = Array.from({ length: 12 }, () => gauge.scan().zombies);
    assert.equal(seen.at(-1), 1_800);
    assert.equal(gauge.scan().isBehind, false);
  });
});
