import assert from "node:assert/strict";
import { test } from "node:test";
import { oneAtATime } from "../../../src/master/one-at-a-time.ts";

test("shares one result among all who ask at once, and begins a new one for those who ask later", async () => {
  let begun = 0;
  const ask = oneAtATime(async () => {
    const own = ++begun;
    await new Promise((resolve) => setImmediate(resolve));
    return own;
  });
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [1, 1, 1]);
  const first = ask();
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(begun, 2);
  const later = [ask(), ask()];
  assert.equal(begun, 2, "not beside the one that runs");
  assert.deepEqual(await Promise.all([first, ...later]), [2, 3, 3]);
});

test("fails those who asked, and works again for the next", async () => {
  let fails = true;
  const ask = oneAtATime(async () => {
    if (fails) throw new Error("not now");
    return "well";
  });
  const both = [ask(), ask()];
  for (const each of both) await assert.rejects(each, /not now/);
  fails = false;
  assert.equal(await ask(), "well");
});
