// What a client is told of its order, and when it is over.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Watch } from "../../../src/master/control-watch.ts";
import type { Answer } from "../../../src/messenger/control.ts";
import type { Order } from "../../../src/policy/events.ts";
import { pursue } from "../../../src/policy/pursuit.ts";
import { Story } from "../../helpers/story.ts";

/** Feeds an order to a story, and to a watch all that the master would. */
function follow(story: Story, command: "reload" | "stop" | "scale", order: Order) {
  const watch = new Watch(command, pursue(order, story.state), story.state, story.now);
  const answers: Answer[] = [];
  story.watch = (_before, _event, effects) => {
    for (const effect of effects) if (effect.type === "log") answers.push(...watch.heard(effect.level, effect.message, effect.fields));
    if (!watch.isOver) answers.push(...watch.settled(story.state, story.now));
  };
  story.feed({ type: "ordered", order });
  return { watch, answers };
}

test("says that a reload waits for its first worker to stay ready", () => {
  const story = new Story({ settleMs: 3_000 }).boot().behave({ bootMs: 100, drainMs: 50, killMs: 0 });
  const { answers } = follow(story, "reload", { kind: "reload", agent: false });
  story.pass(200);
  assert.equal(answers.filter((answer) => answer.event === "log" && /must stay ready for 3000 ms/.test(answer.message)).length, 1);
});

test("says why a reload failed in the words of the first failure", () => {
  const story = new Story().boot();
  const { answers, watch } = follow(story, "reload", { kind: "reload", agent: false });
  story.fault(4);
  story.exit(4);
  assert.ok(watch.isOver);
  assert.deepEqual(answers.at(-1), {
    event: "failed",
    command: "reload",
    why: "worker 0 of generation 2 failed: worker 0: Error: it broke",
  });
});

test("says what ended a worker on trial, and not that it was on trial", () => {
  const story = new Story({ settleMs: 3_000 }).boot().behave({ bootMs: 100, drainMs: 50, killMs: 0 });
  const { answers } = follow(story, "reload", { kind: "reload", agent: false });
  story.pass(200);
  story.exit(4, 9);
  const last = answers.at(-1);
  assert.ok(last?.event === "failed", JSON.stringify(last));
  assert.match(last.why, /^worker 0 of generation 2 failed: worker 0 exited with code 9/);
});

test("does not blame the new generation for what the old one does", () => {
  const story = new Story().boot();
  const { answers } = follow(story, "reload", { kind: "reload", agent: false });
  story.exit(story.worker(1));
  story.exit(4, 7);
  const last = answers.at(-1);
  assert.ok(last?.event === "failed");
  assert.match(last.why, /^worker 0 of generation 2 failed: worker 0 failed to boot: it exited with code 7/);
});

test("gives up when nothing happens for longer than any step may take", () => {
  const story = new Story({ bootTimeoutMs: 1_000, stopTimeoutMs: 1_000 }).boot();
  const watch = new Watch("restart", pursue({ kind: "restart", role: "worker", slot: 0 }, story.state), story.state, story.now);
  assert.deepEqual(watch.settled(story.state, story.now + 31_000), []);
  assert.deepEqual(watch.settled(story.state, story.now + 32_000), [
    { event: "failed", command: "restart", why: "nothing has happened for 32 s" },
  ]);
});

test("tells the end with its exit code to whoever stopped it, and a failure to others", () => {
  const story = new Story().boot();
  const { watch } = follow(story, "stop", { kind: "stop", fast: false });
  assert.deepEqual(watch.ended(0), { event: "ended", exitCode: 0 });
  const scaling = new Watch("scale", pursue({ kind: "scale", workers: 9 }, story.state), story.state, story.now);
  assert.deepEqual(scaling.ended(6), { event: "failed", command: "scale", why: "the service has stopped" });
});
