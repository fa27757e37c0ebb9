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

test("leaves the queues of slots that were scaled away to the others", () => {
  for (const spread of [1, 2, 3]) {
    for (let workers = 1; workers <= 6; workers++) {
      const covered = Array.from({ length: workers }, (_, slot) => naturalQueues(slot, workers, 6, spread)).flat();
      for (let queue = 0; queue < 6; queue++) {
        assert.equal(
          covered.filter((each) => each === queue).length,
          Math.min(spread, workers),
          `queue ${queue} of 6, ${workers} workers, spread ${spread}`,
        );
      }
    }
  }
});
