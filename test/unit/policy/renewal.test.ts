// Recycling: a worker that has reached a limit of its own is replaced, successor first, one at a time, and never in a hot loop.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Limits } from "../../../src/policy/life.ts";
import { NO_LIMITS } from "../../../src/policy/limits.ts";
import { isReady } from "../../../src/policy/select.ts";
import { Story } from "../../helpers/story.ts";

const MIB = 1024 * 1024;
const GOOD = { bootMs: 100, drainMs: 50, killMs: 0 } as const;
const LARGE = { residentBytes: 300 * MIB } as const;

function limits(set: Partial<Limits>): { readonly limits: Limits } {
  return { limits: { ...NO_LIMITS, ...set } };
}
const MEMORY = limits({ residentBytes: 200 * MIB });

function reasons(story: Story): readonly string[] {
  return story
    .tallies("starts")
    .map(({ reason }) => reason)
    .filter((reason) => reason !== "boot");
}

/** Long enough for no life to count as short. */
function lasting(story: Story): Story {
  return story.pass(31_000);
}

describe("a worker over its limit", () => {
  it("serves until its successor is ready, then drains; the generation stays", () => {
    const story = lasting(new Story(MEMORY).boot()).beat(2, LARGE);
    assert.equal(story.picture, "agent ready, 0 ready+starting, 1 ready");
    assert.ok(story.logged(/^worker 0 is to be recycled: it uses 300 MiB of memory, its limit is \d+ \(max-memory\)$/));
    story.ready();
    assert.equal(story.picture, "agent ready, 0 draining+ready, 1 ready");
    story.finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    assert.deepEqual(reasons(story), ["recycle_memory"]);
    assert.deepEqual(
      story.tallies("exits").map(({ outcome }) => outcome),
      ["clean"],
    );
    assert.equal(story.tallies("restarts").length, 0);
    assert.equal(story.slot(0).failures, 0);
  });

  it("is replaced in place with surge 0", () => {
    const story = lasting(new Story({ ...MEMORY, surge: 0 }).boot())
      .beat(2, LARGE)
      .pass(0);
    assert.equal(story.picture, "agent ready, 0 draining+starting, 1 ready");
    assert.deepEqual(reasons(story), ["recycle_memory"]);
  });

  it("is one of the newest generation after a reload that failed", () => {
    const story = lasting(new Story(MEMORY).boot()).signal("SIGHUP");
    story.exit(4, 1);
    assert.equal(story.beat(2, LARGE).picture, "agent ready, 0 ready+starting#2, 1 ready");
  });

  for (const [limit, said, reason] of [
    [{ requests: 100 }, { requests: 100 }, "recycle_requests"],
    [{ lifetimeMs: 60_000 }, {}, "recycle_lifetime"],
  ] as const) {
    it(`is recycled for ${Object.keys(limit)}, too`, () => {
      const story = new Story({ ...limits(limit), workerCount: 1 }).boot().pass(59_000);
      for (const { id } of story.lives()) story.beat(id, said);
      story.pass(2_000).ready();
      assert.deepEqual(reasons(story), [reason]);
    });
  }

  it("never is the agent", () => {
    const story = lasting(new Story({ limits: { residentBytes: 1, heapBytes: 1, requests: 1, lifetimeMs: 1_000 }, workerCount: 1 }).boot());
    story.beat(story.agent, LARGE).pass(5_000);
    assert.ok(story.forks.slice(1).every(({ role }) => role === "worker"));
  });
});

describe("one recycle at a time", () => {
  it("although all have reached their limits, and though surge would allow more", () => {
    const story = lasting(new Story({ ...MEMORY, workerCount: 3, surge: 3, hasAgent: false }).boot());
    for (const life of [1, 2, 3]) story.beat(life, LARGE);
    assert.equal(story.picture, "0 ready+starting, 1 ready, 2 ready");
    story.ready();
    assert.equal(story.picture, "0 draining+ready, 1 ready, 2 ready", "the next one starts when the last has stopped accepting");
    story.feed({ type: "closed", life: 1 });
    assert.equal(story.picture, "0 draining+ready, 1 ready+starting, 2 ready");
    story.behave(GOOD).ready().pass(20_000);
    assert.equal(story.picture, "0 ready, 1 ready, 2 ready");
    assert.equal(story.forks.length, 6);
  });

  it("in place, when the last one is gone", () => {
    const story = lasting(new Story({ ...MEMORY, surge: 0, hasAgent: false }).boot());
    for (const life of [1, 2]) story.beat(life, LARGE);
    story.pass(0).ready().pass(0);
    assert.equal(story.picture, "0 draining+ready, 1 ready");
    story.finishDrains();
    assert.equal(story.pass(0).picture, "0 ready, 1 draining+starting");
  });

  it("the oldest first: a slot that reaches its limit at every heartbeat does not keep the others waiting", () => {
    const story = new Story({ ...limits({ requests: 50 }), workerCount: 3, hasAgent: false }, GOOD).start().pass(500);
    story.says = () => ({ requests: 1_000 });
    story.pass(20_000);
    const counts = [0, 1, 2].map((index) => story.forks.filter(({ slot }) => slot === index).length);
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join(" "));
    assert.ok(story.forks.length > 20, "and fast");
  });

  it("not while another slot is down", () => {
    const story = lasting(new Story(MEMORY).boot());
    story.exit(story.worker(1), 1);
    story.beat(2, LARGE);
    assert.equal(story.picture, "agent ready, 0 ready, 1 starting");
    story.ready();
    assert.equal(story.picture, "agent ready, 0 ready+starting, 1 ready");
  });

  it("not during a reload, which replaces everybody anyway", () => {
    const story = lasting(new Story(MEMORY).boot()).signal("SIGHUP").beat(3, LARGE);
    assert.equal(story.picture, "agent ready, 0 ready+starting#2, 1 ready");
    story.behave(GOOD).ready().pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2");
    assert.deepEqual(reasons(story), ["reload", "reload"]);
  });

  it("not during a stop", () => {
    const story = lasting(new Story({ ...MEMORY, drainDelayMs: 5_000 }).boot())
      .signal("SIGTERM")
      .beat(2, LARGE);
    assert.equal(story.forks.length, 3);
    assert.ok(!story.logged(/recycled/));
  });
});

describe("a recycle that is disturbed", () => {
  it("by its successor, which fails: the old worker serves on and is not blamed, and it is tried again with backoff", () => {
    const story = lasting(new Story(MEMORY).boot()).beat(2, LARGE);
    const delays: number[] = [];
    for (let times = 0; times < 5; times++) {
      const successor = story.lives().find(({ state }) => state === "starting");
      assert.ok(successor !== undefined);
      const failedAt = story.now;
      story.exit(successor.id, 1);
      assert.ok(isReady(story.state, story.now));
      while (!story.lives().some(({ state }) => state === "starting")) story.pass(10);
      delays.push(story.now - failedAt);
    }
    assert.deepEqual(delays, [0, 500, 1_000, 2_000, 4_000]);
    assert.equal(story.slot(0).failures, 0);
    assert.equal(story.tallies("restarts").length, 0);
    assert.ok(story.logged(/^worker 0 serves on: its successor failed, the next try is in 500 ms$/));
    story.ready().finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
  });

  it("by a successor that never becomes ready", () => {
    const story = lasting(new Story({ ...MEMORY, bootTimeoutMs: 5_000 }, { killMs: 20 }).boot())
      .beat(2, LARGE)
      .pass(60_000);
    assert.ok(story.forks.length < 3 + 10, `${story.forks.length} forks`);
    assert.equal(story.worker(0), 2);
    assert.equal(story.slot(0).failures, 0);
    assert.equal(story.exitCode, null);
  });

  it("by the old worker's death: the successor takes the slot, and nobody else is started", () => {
    const story = lasting(new Story(MEMORY).boot()).beat(2, LARGE);
    story.exit(2, "SIGKILL");
    assert.equal(story.picture, "agent ready, 0 starting, 1 ready");
    story.ready().pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    assert.equal(story.forks.length, 4);
  });

  it("by both: the slot is started again, as one that failed", () => {
    const story = lasting(new Story(MEMORY).boot()).beat(2, LARGE);
    story.exit(2, "SIGKILL");
    story.exit(4, 1);
    assert.equal(story.slot(0).failures, 1);
    assert.equal(story.picture, "agent ready, 0 starting, 1 ready");
    assert.deepEqual(reasons(story), ["recycle_memory", "crash"]);
  });

  it("by a reload: the successor gives way to the new generation", () => {
    const story = lasting(new Story(MEMORY).boot()).beat(2, LARGE).signal("SIGHUP");
    assert.equal(story.picture, "agent ready, 0 ready+draining, 1 ready");
    story.behave(GOOD).finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready+starting#2, 1 ready");
    story.ready().pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2");
    assert.equal(story.state.lastRollout?.result, "success");
  });

  it("by a reload when its successor has just failed: the reload goes on", () => {
    const story = lasting(new Story(MEMORY).boot()).beat(2, LARGE);
    story.exit(4, 1);
    story.behave(GOOD).signal("SIGHUP").pass(20_000);
    assert.equal(story.state.lastRollout?.result, "success");
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready#2");
  });

  it("by a scale down: both lives of the slot go", () => {
    const story = lasting(new Story(MEMORY).boot()).beat(3, LARGE).signal("SIGTTOU");
    assert.equal(story.picture, "agent ready, 0 ready, 1 draining+draining");
    story.finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready");
  });
});

describe("a limit that is too small", () => {
  it("is warned of, and costs a start every backoff-limit, not every heartbeat", () => {
    const story = new Story({ ...MEMORY, workerCount: 1, hasAgent: false }, GOOD).start().pass(500);
    story.says = () => LARGE;
    story.pass(300_000);
    const starts = story.forks.length;
    assert.ok(starts >= 10 && starts <= 18, `${starts} starts in 5 minutes`);
    assert.ok(story.logged(/only \d+ s after it was ready; the limit is too small, or it leaks fast/));
    assert.equal(story.exitCode, null);
    assert.equal(story.slot(0).failures, 0);
  });

  it("is forgotten when a worker has lasted", () => {
    const story = new Story({ ...MEMORY, workerCount: 1, hasAgent: false }, GOOD).start().pass(500);
    for (let times = 0; times < 3; times++) story.beat(story.worker(0), LARGE).pass(5_000);
    assert.equal(story.slot(0).renewal.failures, 3);
    lasting(story).beat(story.worker(0), LARGE);
    assert.equal(story.slot(0).renewal.failures, 0);
    assert.equal(story.picture, "0 ready+starting");
  });
});
