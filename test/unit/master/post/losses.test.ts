import assert from "node:assert/strict";
import { test } from "node:test";
import { PostLosses } from "../../../../src/master/post/losses.ts";

test("the first loss of a kind is told at once, and when its minute is over how many more there were", () => {
  const timers: (() => void)[] = [];
  const lines: string[] = [];
  const losses = new PostLosses({
    world: {
      startTimer(_, callback) {
        timers.push(callback);
        return () => {};
      },
    },
    write: ({ message, fields }) => lines.push(`${message} (${fields?.dropped})`),
  });
  const minute = (): void => {
    for (const callback of timers.splice(0)) callback();
  };
  for (let number = 0; number < 2_000; number++) losses.count("full", "agent");
  losses.count("absent", "worker 0");
  const full = "the receiver does not read what it has been sent";
  assert.deepEqual(lines.splice(0), [
    `dropped a message, the last one from agent: ${full} (1)`,
    "dropped a message, the last one from worker 0: there is nobody who would get it (1)",
  ]);
  losses.count("full", "worker 1");
  minute();
  assert.deepEqual(lines.splice(0), [`dropped 2000 messages, the last one from worker 1: ${full} (2001)`]);
  losses.count("full", "agent");
  minute();
  assert.deepEqual(lines.splice(0), [`dropped a message, the last one from agent: ${full} (2002)`], "still one a minute");
  minute();
  assert.deepEqual(timers, []);
  losses.count("full", "agent");
  assert.deepEqual(lines, [`dropped a message, the last one from agent: ${full} (2003)`], "a minute without any: at once again");
  assert.equal(losses.counts.get("full"), 2_003);
  assert.equal(losses.counts.get("malformed"), 0);
});
