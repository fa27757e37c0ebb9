// The child processes of a thread are its own to wait for, and nobody's when it has ended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ownPids, ThreadKin } from "../../../src/system/strangers.ts";

test("what a thread has started is left to it until it has heard of the end, or has ended itself", () => {
  const [one, other] = [new ThreadKin(), new ThreadKin()];
  for (const kin of [1_000_001, 1_000_002]) one.note({ kin, isThere: true });
  other.note({ kin: 1_000_003, isThere: true });
  assert.deepEqual([...ownPids()].sort(), [1_000_001, 1_000_002, 1_000_003]);
  one.note({ kin: 1_000_001, isThere: false });
  assert.deepEqual([...ownPids()].sort(), [1_000_002, 1_000_003]);
  one.end();
  assert.deepEqual([...ownPids()], [1_000_003]);
  other.end();
  assert.equal(ownPids().size, 0);
});

test("a thread that claims more than any has is not believed", () => {
  const kin = new ThreadKin();
  for (let pid = 1; pid <= 20_000; pid++) kin.note({ kin: pid, isThere: true });
  assert.equal(ownPids().size, 10_000);
  kin.end();
});
