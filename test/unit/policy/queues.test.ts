// Which worker accepts from which queue, as pure functions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { naturalQueues } from "../../../src/policy/queues.ts";

test("gives each slot its own queue and its neighbour's, its own first", () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((slot) => naturalQueues(slot, 4, 4, 2)),
    [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 0],
    ],
  );
});

test("gives each slot only its own with spread 1", () => {
  assert.deepEqual(
    [0, 1, 2].map((slot) => naturalQueues(slot, 3, 3, 1)),
    [[0], [1], [2]],
  );
});

test("gives everybody the one queue that is shared", () => {
  assert.deepEqual(
    [0, 1, 2].map((slot) => naturalQueues(slot, 3, 1, Number.POSITIVE_INFINITY)),
    [[0], [0], [0]],
  );
});

/** For each slot, the queues that it has. */
const spreadOver = (workers: number, queues: number, spread: number): readonly (readonly number[])[] =>
  Array.from({ length: workers }, (_, slot) => naturalQueues(slot, workers, queues, spread));

test("leaves the queues of slots that were scaled away to the others", () => {
  for (const spread of [1, 2, 3]) {
    for (let workers = 1; workers <= 6; workers++) {
      const covered = spreadOver(workers, 6, spread).flat();
      for (let queue = 0; queue < 6; queue++) {
        const slots = covered.filter((each) => each === queue).length;
        assert.ok(slots >= Math.min(spread, workers), `queue ${queue} of 6, ${workers} workers, spread ${spread}: ${slots} slots`);
      }
    }
  }
});

test("after 4 → 3 workers the queue that is left over is shared by all of them", () => {
  assert.deepEqual(spreadOver(3, 4, 1), [
    [0, 3],
    [1, 3],
    [2, 3],
  ]);
  assert.deepEqual(spreadOver(3, 4, 2), [
    [0, 1, 3],
    [1, 2, 3],
    [2, 0, 3],
  ]);
});

test("never gives a slot much more than its part of all connections, however many queues are left over", () => {
  for (const spread of [1, 2, 3]) {
    for (let queues = 1; queues <= 64; queues++) {
      for (let workers = 1; workers <= queues; workers++) {
        const slots = spreadOver(workers, queues, spread);
        const accepting = new Map<number, number>();
        for (const queue of slots.flat()) accepting.set(queue, (accepting.get(queue) ?? 0) + 1);
        const parts = slots.map((each) => each.reduce((sum, queue) => sum + 1 / (accepting.get(queue) ?? 1), 0));
        const uneven = Math.max(...parts) / (queues / workers);
        assert.ok(uneven < 4 / 3, `${queues} queues, ${workers} workers, spread ${spread}: ${uneven} of the mean`);
      }
    }
  }
});
