// What is left of a heap after a full garbage collection, seen from inside.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LiveHeap } from "../../../../src/runtime/life/live-heap.ts";
import { until } from "../../../helpers/until.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (how?: { readonly type: "minor" | "major" }) => void;
const FULL = { used_heap_size: 90, heap_size_limit: 100 };

test("is known after a full collection, told at once, and not after one of young objects", async () => {
  let told = 0;
  const heap = new LiveHeap(() => told++);
  heap.note(FULL);
  collect({ type: "minor" });
  for (let turns = 0; turns < 20; turns++) await turn();
  assert.deepEqual([heap.bytes, told], [0, 0]);
  await until("a full collection is seen", () => {
    collect();
    return heap.bytes > 0;
  });
  assert.equal(told, 1);
  const now = getHeapStatistics().used_heap_size;
  assert.ok(heap.bytes > now / 4 && heap.bytes < now * 4, `${heap.bytes} of ${now}`);
});

test("is not watched while little of the heap is used", async () => {
  const heap = new LiveHeap(() => assert.fail("told"));
  for (let times = 0; times < 10; times++) {
    heap.note({ used_heap_size: 20, heap_size_limit: 100 });
    collect();
    await turn();
  }
  assert.equal(heap.bytes, 0);
});

test("is told of a few times a second, however often is collected", async () => {
  let told = 0;
  const heap = new LiveHeap(() => told++);
  heap.note(FULL);
  const startedAt = performance.now();
  for (let times = 0; times < 30; times++) {
    collect();
    await turn();
  }
  await until("one was seen", () => told > 0);
  assert.ok(told <= 1 + (performance.now() - startedAt) / 200, `${told} times`);
});
