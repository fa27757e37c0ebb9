// What the master may hold: within its descriptors, and never all of it for one place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { placesWithin, waitingWithin } from "../../../src/master/descriptors.ts";
import { MOST_HELD, Room } from "../../../src/sockets/room.ts";

/** As many as one kind gets. */
function fill(room: Room): number {
  let held = 0;
  for (; room.hasFor(held); held++) room.take();
  return held;
}

test("one kind leaves a quarter to the others, and so on", () => {
  const room = new Room(160);
  assert.deepEqual([fill(room), fill(room), fill(room)], [120, 30, 8]);
  for (let left = 0; left < 120; left++) room.leave();
  assert.equal(fill(room), 92, "what is given back can be had again");
});

test("all kinds together never have more than there is", () => {
  const room = new Room(10);
  const held = Array.from({ length: 20 }, () => fill(room));
  assert.equal(
    held.reduce((sum, each) => sum + each),
    10,
  );
});

test("where descriptors are many, each kind has a limit of its own", () => {
  const room = new Room(Number.POSITIVE_INFINITY);
  assert.deepEqual([fill(room), fill(room)], [MOST_HELD, MOST_HELD]);
  assert.equal(room.hasFor(3, 3), false);
});

test("what may wait is half of what the ports of the master and its own files leave", () => {
  assert.equal(waitingWithin(1_024, 44), (1_024 - 44 - 2 * placesWithin(1_024)) / 2);
  assert.equal(waitingWithin(null, 44), Number.POSITIVE_INFINITY);
  for (const limit of [128, 256, 512, 1_024, 4_096, 1_048_576]) {
    const rest = limit - 44 - 2 * placesWithin(limit) - waitingWithin(limit, 44);
    assert.ok(rest >= 20, `${rest} of ${limit} are left for forks`);
  }
  assert.ok(waitingWithin(64, 60) > 0, "some wait even then");
});
