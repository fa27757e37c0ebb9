// What children say of what they depend on: readiness follows, nothing else does.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isLive, isReady } from "../../../src/policy/select.ts";
import { Story } from "../../helpers/story.ts";

const say = (story: Story, life: number, reason: string | null, name = "db"): void =>
  void story.feed({ type: "health", life, name, reason, isTold: true });

describe("health", () => {
  it("counts a worker that is not well as not ready, by min-ready", () => {
    const story = new Story({ hasAgent: false }).boot();
    say(story, story.worker(0), "away");
    assert.ok(isReady(story.state, story.now), "the other one is well");
    say(story, story.worker(1), "away");
    assert.ok(!isReady(story.state, story.now));
    assert.ok(isLive(story.state));
    say(story, story.worker(1), null);
    assert.ok(isReady(story.state, story.now));
    const strict = new Story({ hasAgent: false, minReady: 2 }).boot();
    say(strict, strict.worker(0), "");
    assert.ok(!isReady(strict.state, strict.now));
  });

  it("takes an agent at its word at once", () => {
    const story = new Story().boot();
    say(story, story.agent, "no queue", "queue");
    assert.ok(!isReady(story.state, story.now));
    say(story, story.agent, null, "queue");
    assert.ok(isReady(story.state, story.now));
  });

  it("is well only when everything is, and says each change once", () => {
    const story = new Story({ hasAgent: false, workerCount: 1 }).boot();
    const worker = story.worker(0);
    for (const [name, reason] of [
      ["db", "a"],
      ["db", "a"],
      ["mq", "b"],
      ["db", null],
      ["db", null],
    ] as const)
      say(story, worker, reason, name);
    assert.ok(!isReady(story.state, story.now));
    say(story, worker, null, "mq");
    assert.ok(isReady(story.state, story.now));
    const lines = story
      .all("log")
      .map(({ message }) => message)
      .filter((each) => each.endsWith("(health)"));
    assert.deepEqual(lines, [
      "worker 0: db is not well: a (health)",
      "worker 0: mq is not well: b (health)",
      "worker 0: db is well again (health)",
      "worker 0: mq is well again (health)",
    ]);
  });

  it("ends with the life that said it, and keeps no more than 32 names", () => {
    const story = new Story({ hasAgent: false, workerCount: 1 }).boot();
    for (let i = 0; i < 100; i++) say(story, story.worker(0), "x", `name ${i}`);
    assert.equal(story.state.workers[0]?.lives[0]?.ailments.length, 32);
    story.exit(story.worker(0));
    story.pass(2_000).ready();
    assert.ok(isReady(story.state, story.now));
    say(story, 1, "late word of a life that is gone");
    assert.ok(isReady(story.state, story.now));
  });

  it("touches neither the roll call nor a reload", () => {
    const story = new Story({ hasAgent: false, workerCount: 1 }).boot();
    say(story, story.worker(0), "away");
    story.pass(60_000);
    assert.equal(story.state.rollCall.strikes, 0);
    assert.equal(story.forks.length, 1);
  });
});
