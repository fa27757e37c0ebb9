// Every client has its slot; a slot that comes or goes moves only the clients that are its own, and the load is even.
import assert from "node:assert/strict";
import { test } from "node:test";
import { slotOf } from "../../../src/policy/rendezvous.ts";

const CLIENTS: readonly string[] = Array.from({ length: 10_000 }, (_, index) => `10.${index >> 14}.${(index >> 7) & 127}.${index & 127}`);
const slots = (count: number): readonly number[] => Array.from({ length: count }, (_, slot) => slot);

test("is the same for a client whatever the order of the slots", () => {
  for (const client of CLIENTS.slice(0, 100)) assert.equal(slotOf(client, [3, 1, 0, 2]), slotOf(client, slots(4)));
});

test("is none where there is none", () => {
  assert.equal(slotOf("10.0.0.1", []), null);
});

for (const count of [2, 3, 4, 8, 64]) {
  test(`spreads clients that differ in their last digits evenly over ${count} slots`, () => {
    const counts = slots(count).map(() => 0);
    for (const client of CLIENTS) {
      const slot = slotOf(client, slots(count)) ?? -1;
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    const mean = CLIENTS.length / count;
    // Five standard deviations of chance: these clients are always the same.
    const allowed = 5 * Math.sqrt(mean);
    for (const each of counts) assert.ok(Math.abs(each - mean) < allowed, `${counts.join(" ")}: ${mean} ± ${allowed} each`);
  });
}

test("a slot that goes moves its own clients only, to all of the others", () => {
  const rest = slots(5).filter((slot) => slot !== 2);
  const heirs = new Set<number | null>();
  for (const client of CLIENTS) {
    const before = slotOf(client, slots(5));
    const after = slotOf(client, rest);
    if (before === 2) heirs.add(after);
    else assert.equal(after, before);
  }
  assert.deepEqual([...heirs].toSorted(), rest);
});

test("a slot that comes takes its share from all others, and moves nobody between them", () => {
  let moved = 0;
  for (const client of CLIENTS) {
    const after = slotOf(client, slots(5));
    if (after === slotOf(client, slots(4))) continue;
    assert.equal(after, 4);
    moved++;
  }
  assert.ok(moved > CLIENTS.length / 6 && moved < CLIENTS.length / 4, `${moved} of ${CLIENTS.length}`);
});
