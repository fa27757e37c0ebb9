// A reload that is disturbed: by a crash on either side, or by a scale in the middle.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Story } from "../../helpers/story.ts";

const GOOD = { bootMs: 100, drainMs: 50, killMs: 0 } as const;

function results(story: Story): readonly string[] {
  return story.tallies("reloads").map(({ result }) => result);
}

describe("a crash during a reload", () => {
  it("of the old worker: its successor, which is starting, takes the slot", () => {
    const story = new Story().boot().signal("SIGHUP");
    story.exit(2, "SIGKILL");
    assert.equal(story.picture, "agent ready, 0 starting#2, 1 ready");
    story.behave(GOOD).pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2");
    assert.deepEqual(results(story), ["success"]);
    assert.equal(story.forks.length, 5);
  });

  it("of both: the slot keeps the old worker's record and is started again", () => {
    const story = new Story().boot().signal("SIGHUP");
    story.exit(2, "SIGKILL");
    story.exit(4, 1);
    assert.equal(story.slot(0).failures, 1);
    assert.equal(story.picture, "agent ready, 0 starting#2, 1 ready");
  });

  it("of an old worker elsewhere: it comes back in the new generation, and the reload goes on", () => {
    const story = new Story().boot().signal("SIGHUP");
    story.exit(3, "SIGKILL");
    assert.equal(story.picture, "agent ready, 0 ready+starting#2, 1 starting#2");
    story.behave(GOOD).pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2");
    assert.equal(story.forks.length, 5);
  });

  it("of a successor that was ready: the reload is aborted, and the slot starts again with the old worker still draining", () => {
    const story = new Story().boot().signal("SIGHUP").ready();
    story.exit(4, 1);
    assert.equal(story.picture, "agent ready, 0 draining+starting#2, 1 ready");
    story.behave(GOOD).pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready");
    assert.deepEqual(results(story), ["failure"]);
  });

  it("of the agent: it comes back, and the reload goes on", () => {
    const story = new Story().boot().signal("SIGHUP");
    story.exit(1, 1);
    story.behave(GOOD).pass(5_000);
    assert.equal(story.picture, "agent ready#2, 0 ready#2, 1 ready#2");
  });

  it("of an old worker that drains: it is gone, and nobody is started for it", () => {
    const story = new Story({ workerCount: 1 }).boot().signal("SIGHUP").ready();
    story.exit(2, "SIGSEGV");
    assert.equal(story.picture, "agent ready, 0 ready#2");
    assert.equal(story.forks.length, 3);
  });
});

describe("a scale during a reload", () => {
  it("up: the new slot starts with the new generation", () => {
    const story = new Story().boot().signal("SIGHUP").signal("SIGTTIN");
    assert.equal(story.picture, "agent ready, 0 ready+starting#2, 1 ready, 2 starting#2");
    story.behave(GOOD).pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2, 2 ready#2");
    assert.deepEqual(results(story), ["success"]);
  });

  it("down: both lives of the slot go, and the reload ends", () => {
    const story = new Story({ surge: 2 }).boot().signal("SIGHUP").signal("SIGTTOU");
    assert.equal(story.picture, "agent ready, 0 ready+starting#2, 1 draining+draining#2");
    story.behave(GOOD).pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#2");
    assert.deepEqual(results(story), ["success"]);
  });
});

it("aborts the reload when a ready successor has an uncaught exception", () => {
  const story = new Story().boot().signal("SIGHUP").ready();
  story.feed({ type: "faulted", life: 4, fault: { name: "Error", message: "boom", stack: "", code: null, port: null } });
  assert.deepEqual(results(story), ["failure"]);
  story.behave(GOOD).pass(5_000);
  assert.equal(story.lives().filter((life) => life.state === "ready").length, 3);
});
