// The rolling reload: successor first, one slot at a time, and a bad generation never replaces a good one.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReady } from "../../../src/policy/select.ts";
import { Story } from "../../helpers/story.ts";

const GOOD = { bootMs: 100, drainMs: 50, killMs: 0 } as const;

function results(story: Story): readonly string[] {
  return story.tallies("reloads").map(({ result }) => result);
}

describe("a reload", () => {
  it("starts a successor, drains the old worker when that is ready, and goes on when it has stopped accepting", () => {
    const story = new Story().boot().signal("SIGHUP");
    assert.equal(story.picture, "agent ready, 0 ready+starting#2, 1 ready");
    story.ready();
    assert.equal(story.picture, "agent ready, 0 draining+ready#2, 1 ready");
    story.feed({ type: "closed", life: 2 });
    assert.equal(story.picture, "agent ready, 0 draining+ready#2, 1 ready+starting#2");
    story.ready();
    assert.equal(story.picture, "agent ready, 0 draining+ready#2, 1 draining+ready#2");
    assert.deepEqual(results(story), ["success"]);
    story.finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2");
    assert.deepEqual(story.tallies("exits"), Array(2).fill({ metric: "exits", role: "worker", outcome: "clean" }));
    assert.equal(story.tallies("restarts").length, 0);
  });

  it("goes on when the old worker has gone without a word", () => {
    const story = new Story().boot().signal("SIGHUP").ready();
    story.exit(2, 0);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready+starting#2");
  });

  it("lets no more than two drain at a time", () => {
    const story = new Story({ workerCount: 4, hasAgent: false }).boot().signal("SIGHUP");
    for (const life of [1, 2]) {
      story.ready();
      story.feed({ type: "closed", life });
    }
    assert.equal(story.picture, "0 draining+ready#2, 1 draining+ready#2, 2 ready, 3 ready");
    story.exit(1, 0);
    assert.equal(story.picture, "0 ready#2, 1 draining+ready#2, 2 ready+starting#2, 3 ready");
  });

  it("replaces two at a time with surge 2, and lets no more than three drain", () => {
    const story = new Story({ workerCount: 6, hasAgent: false, surge: 2 }).boot().signal("SIGHUP");
    assert.equal(story.picture, "0 ready+starting#2, 1 ready+starting#2, 2 ready, 3 ready, 4 ready, 5 ready");
    story.ready();
    for (const life of [1, 2]) story.feed({ type: "closed", life });
    assert.equal(story.picture, "0 draining+ready#2, 1 draining+ready#2, 2 ready+starting#2, 3 ready, 4 ready, 5 ready");
    story.ready();
    story.feed({ type: "closed", life: 3 });
    assert.equal(story.lives().filter(({ state }) => state === "draining").length, 3);
    assert.ok(!story.lives().some(({ state }) => state === "starting"));
  });

  it("replaces in place with surge 0: one leaves first, the next when all are ready again", () => {
    const story = new Story({ surge: 0 }).boot().signal("SIGHUP").pass(0);
    assert.equal(story.picture, "agent ready, 0 draining+starting#2, 1 ready");
    story.pass(5_000);
    assert.equal(story.picture, "agent ready, 0 draining+starting#2, 1 ready");
    story.ready().pass(0);
    assert.equal(story.picture, "agent ready, 0 draining+ready#2, 1 draining+starting#2");
    story.ready().finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2");
    assert.deepEqual(results(story), ["success"]);
    assert.deepEqual(
      story
        .tallies("starts")
        .slice(3)
        .map(({ reason }) => reason),
      ["reload", "reload"],
    );
  });

  for (const surge of [0, 1, 2, 16]) {
    it(`ends with the new generation everywhere and stays ready on the way: surge ${surge}`, () => {
      const story = new Story({ workerCount: 5, surge }, GOOD).start().pass(1_000);
      story.watch = () => assert.ok(isReady(story.state, story.now));
      story.signal("SIGHUP").pass(10_000);
      assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2, 2 ready#2, 3 ready#2, 4 ready#2");
      assert.deepEqual(results(story), ["success"]);
      assert.equal(story.forks.length, 11);
    });
  }

  it("leaves the agent alone", () => {
    const story = new Story({}, GOOD).start().pass(1_000).signal("SIGHUP").pass(5_000);
    assert.equal(story.forks.filter(({ role }) => role === "agent").length, 1);
  });

  it("kills an old worker that does not end, and is not held up by it", () => {
    const story = new Story({ workerCount: 1 }, { ...GOOD, drainMs: null }).start().pass(1_000).signal("SIGHUP").pass(100);
    assert.deepEqual(results(story), ["success"]);
    story.pass(9_000);
    assert.equal(story.picture, "agent ready, 0 ready#2");
    assert.equal(story.exitCode, null);
  });

  it("is queued once behind a running one", () => {
    const story = new Story({}, GOOD).start().pass(1_000);
    for (let times = 0; times < 5; times++) story.signal("SIGHUP");
    story.pass(10_000);
    assert.equal(story.picture, "agent ready, 0 ready#3, 1 ready#3");
    assert.deepEqual(results(story), ["success", "success"]);
  });

  it("waits for the end of the start, once however often it was asked for", () => {
    const story = new Story({}, GOOD).start().signal("SIGHUP").signal("SIGHUP").pass(50);
    assert.ok(story.logged(/reload queued: it begins when the service has started/));
    assert.equal(story.picture, "agent starting");
    story.pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2");
    assert.deepEqual(results(story), ["success"]);
  });
});

describe("a bad generation", () => {
  it("aborts the reload when its first life exits: old workers serve, nobody was drained", () => {
    const story = new Story().boot().signal("SIGHUP");
    story.exit(4, 1);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    assert.deepEqual(results(story), ["failure"]);
    assert.ok(isReady(story.state, story.now));
    assert.ok(story.logged(/reload aborted: worker 0 of generation 2 failed; the old workers keep serving$/));
    story.pass(60_000);
    assert.equal(story.forks.length, 4);
  });

  it("aborts it at boot-timeout, after one try", () => {
    const story = new Story({ bootTimeoutMs: 5_000 }, { killMs: 20 }).boot().signal("SIGHUP").pass(6_000);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    assert.equal(story.forks.length, 4);
    assert.deepEqual(results(story), ["failure"]);
  });

  it("is not the slot's failure, however it fails", () => {
    const story = new Story({ bootTimeoutMs: 5_000 }, { killMs: 20 }).boot().signal("SIGHUP").pass(6_000).signal("SIGHUP");
    story.exit(story.lives().find(({ state }) => state === "starting")?.id ?? 0, 1);
    assert.equal(story.slot(0).failures, 0);
    story.exit(story.worker(0), 1);
    assert.equal(story.picture, "agent ready, 0 starting#3, 1 ready");
  });

  it("takes the other successors with it", () => {
    const story = new Story({ surge: 2 }).boot().signal("SIGHUP");
    assert.equal(story.picture, "agent ready, 0 ready+starting#2, 1 ready+starting#2");
    story.exit(4, 1);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready+draining#2");
    story.finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
  });

  it("keeps the slots that it has reached, and leaves the others", () => {
    const story = new Story({ workerCount: 3 }).boot().signal("SIGHUP").ready().finishDrains();
    story.exit(6, 1);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready, 2 ready");
    assert.ok(story.logged(/failed; the old workers keep serving, and generation 2 stays in 1 of 3 slots$/));
  });

  it("aborts the reload when a crashed slot's new life cannot boot", () => {
    const story = new Story({ workerCount: 3 }).boot().signal("SIGHUP");
    story.exit(story.worker(2), 1);
    assert.equal(story.picture, "agent ready, 0 ready+starting#2, 1 ready, 2 starting#2");
    story.exit(story.worker(2), 1);
    assert.equal(story.picture, "agent ready, 0 ready+draining#2, 1 ready, 2 empty");
    assert.deepEqual(results(story), ["failure"]);
    story.pass(1_000);
    assert.equal(story.picture, "agent ready, 0 ready+draining#2, 1 ready, 2 starting#2");
  });

  it("aborts the reload with surge 0 after the first slot, which is retried", () => {
    const story = new Story({ surge: 0 }, { ...GOOD, bootMs: null }).boot().signal("SIGHUP").pass(100);
    story.exit(story.worker(0), 1);
    assert.equal(story.picture, "agent ready, 0 starting#2, 1 ready");
    story.exit(story.worker(0), 1);
    story.pass(5_000);
    assert.deepEqual(results(story), ["failure"]);
    assert.equal(story.picture, "agent ready, 0 starting#2, 1 ready");
  });

  it("gives way to the reload that was queued behind it", () => {
    const story = new Story({}).boot().signal("SIGHUP").signal("SIGHUP");
    story.exit(4, 1);
    assert.equal(story.picture, "agent ready, 0 ready+starting#3, 1 ready");
    story.behave(GOOD).pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#3, 1 ready#3");
    assert.deepEqual(results(story), ["failure", "success"]);
  });

  it("is followed by a good one", () => {
    const story = new Story().boot().signal("SIGHUP");
    story.exit(4, 1);
    story.behave(GOOD).signal("SIGHUP").pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#3, 1 ready#3");
  });
});
