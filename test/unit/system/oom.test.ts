// Which deaths the kernel's count of OOM kills explains.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OomWatch } from "../../../src/system/oom.ts";

/** A watch over a count and a clock that the test moves. */
function watch(count: number | null = 0) {
  const world = { count, now: 0 };
  const oom = new OomWatch(
    () => world.now,
    () => world.count,
  );
  return { world, oom };
}

test("says no of a death that the kernel has not counted", () => {
  const { oom } = watch(7);
  assert.equal(oom.claim(), false);
});

test("says yes once for each kill that was counted, however many came at once", () => {
  const { world, oom } = watch(7);
  world.count = 9;
  assert.deepEqual([oom.claim(), oom.claim(), oom.claim()], [true, true, false]);
});

test("remembers a kill that was counted before the death was heard of", () => {
  const { world, oom } = watch();
  world.count = 1;
  world.now = 2_000;
  assert.equal(oom.look(), 0);
  world.now = 5_000;
  assert.equal(oom.claim(), true);
});

test("does not blame an old kill for a new death, and tells of the kill that explained none", () => {
  const { world, oom } = watch();
  world.count = 1;
  world.now = 2_000;
  assert.equal(oom.look(), 0);
  world.now = 13_000;
  assert.equal(oom.look(), 1);
  assert.equal(oom.look(), 0);
  assert.equal(oom.claim(), false);
});

test("does not blame an old kill for a new death either when nobody has looked in between", () => {
  const { world, oom } = watch();
  world.count = 1;
  world.now = 2_000;
  assert.equal(oom.look(), 0);
  world.now = 13_000;
  assert.equal(oom.claim(), false);
});

test("tells of no kill that explained a death", () => {
  const { world, oom } = watch();
  world.count = 1;
  assert.equal(oom.claim(), true);
  world.now = 60_000;
  assert.equal(oom.look(), 0);
});

test("looks no more than once a second", () => {
  let reads = 0;
  let now = 0;
  const oom = new OomWatch(
    () => now,
    () => reads++ * 0,
  );
  for (; now < 10_000; now += 10) oom.look();
  assert.ok(reads <= 11, `${reads} reads`);
});

test("makes nothing of a count that is unknown, shrinks, or becomes known later", () => {
  const { world, oom } = watch(null);
  assert.equal(oom.claim(), false);
  world.count = 5;
  assert.equal(oom.claim(), false);
  world.count = 2;
  assert.equal(oom.claim(), false);
  world.count = 3;
  assert.equal(oom.claim(), true);
  world.count = null;
  assert.equal(oom.claim(), false);
});
