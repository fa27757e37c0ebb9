// Scale: level-triggered, idempotent, never under one worker; and nothing but what it asks for.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isReady } from "../../../src/policy/select.ts";
import { SETTINGS, Story } from "../../helpers/story.ts";

const GOOD = { bootMs: 100, drainMs: 50, killMs: 0 } as const;

describe("scale", () => {
  it("up starts one worker more, at once", () => {
    const story = new Story().boot().signal("SIGTTIN");
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready, 2 starting");
    assert.deepEqual(story.tallies("starts").at(-1), { metric: "starts", role: "worker", reason: "scale" });
  });

  it("down drains the last slot and forgets it", () => {
    const story = new Story().boot().signal("SIGTTOU");
    assert.equal(story.picture, "agent ready, 0 ready, 1 draining");
    story.finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready");
    assert.deepEqual(story.tallies("exits"), [{ metric: "exits", role: "worker", outcome: "clean" }]);
  });

  it("never goes below one worker, and says so", () => {
    const story = new Story({}, GOOD).start().pass(1_000);
    for (let times = 0; times < 5; times++) story.signal("SIGTTOU");
    story.pass(1_000);
    assert.equal(story.picture, "agent ready, 0 ready");
    assert.equal(story.state.workersTarget, 1);
    assert.ok(story.logged(/at least one worker stays/));
  });

  it("to fewer workers than it takes to be ready is enough to be ready, and says so", () => {
    const story = new Story({ minReady: 2 }).boot();
    story.signal("SIGTTIN");
    assert.ok(!story.logged(/min-ready/));
    story.signal("SIGTTOU").signal("SIGTTOU").finishDrains();
    assert.ok(story.logged(/^min-ready is 2, but there is 1 worker only: that many are enough to be ready$/));
    assert.ok(isReady(story.state, story.now));
  });

  it("ends in the last target, however many calls there were on the way", () => {
    const story = new Story({}, GOOD).start().pass(1_000);
    for (const signal of ["SIGTTIN", "SIGTTIN", "SIGTTOU", "SIGTTIN", "SIGTTOU", "SIGTTOU", "SIGTTIN"] as const) story.signal(signal);
    story.pass(2_000);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready, 2 ready");
  });

  it("up again while the slot still drains starts its successor, and that is no crash", () => {
    const story = new Story().boot().signal("SIGTTOU").signal("SIGTTIN");
    assert.equal(story.picture, "agent ready, 0 ready, 1 draining+starting");
    assert.equal(story.tallies("restarts").length, 0);
    story.finishDrains().ready();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
  });

  it("drains a worker that is still starting", () => {
    const story = new Story().boot().signal("SIGTTIN").signal("SIGTTOU");
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready, 2 draining");
    story.finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
  });

  it("down lets the last one that serves leave only when one that stays is back", () => {
    const story = new Story().boot();
    story.exit(story.worker(0), 1);
    story.signal("SIGTTOU");
    assert.equal(story.picture, "agent ready, 0 starting, 1 ready");
    story.ready();
    assert.equal(story.picture, "agent ready, 0 ready, 1 draining");
  });

  it("down leaves as many as readiness asks for", () => {
    const story = new Story({ workerCount: 4, minReady: 2 }).boot();
    story.exit(story.worker(0), 1);
    story.signal("SIGTTOU").signal("SIGTTOU");
    assert.equal(story.picture, "agent ready, 0 starting, 1 ready, 2 ready, 3 draining");
    story.ready();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready, 2 draining, 3 draining");
  });

  it("forgets a slot in backoff at once", () => {
    const story = new Story().boot();
    for (let times = 0; times < 3; times++) story.pass(1_000).exit(story.worker(1), 1);
    story.signal("SIGTTOU").pass(10_000);
    assert.equal(story.picture, "agent ready, 0 ready");
  });

  it("does not restart a worker that crashes instead of draining", () => {
    const story = new Story().boot().signal("SIGTTOU");
    story.exit(3, "SIGSEGV");
    story.pass(10_000);
    assert.equal(story.picture, "agent ready, 0 ready");
  });

  it("retries a new worker that cannot boot, and keeps the good ones", () => {
    const story = new Story().boot().signal("SIGTTIN");
    story.exit(story.worker(2), 1);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready, 2 starting");
    assert.equal(story.state.stop, null);
  });

  it("kills a drained worker that does not go", () => {
    const story = new Story({}, { killMs: 10 }).boot().signal("SIGTTOU").pass(10_000);
    assert.equal(story.picture, "agent ready, 0 ready");
    assert.equal(story.all("kill").length, 1);
  });
});

describe("scale while booting", () => {
  it("up is part of the boot", () => {
    const story = new Story().start().signal("SIGTTIN").ready();
    assert.equal(story.picture, "agent ready, 0 starting, 1 starting, 2 starting");
    story.ready();
    assert.equal(story.state.phase, "running");
  });

  it("down is no failed start", () => {
    const story = new Story().start().ready().signal("SIGTTOU");
    assert.equal(story.picture, "agent ready, 0 starting, 1 draining");
    story.exit(3, 0);
    story.ready();
    assert.equal(story.picture, "agent ready, 0 ready");
    assert.equal(story.state.phase, "running");
    assert.equal(story.state.stop, null);
  });

  it("down is none either when the worker that is too many fails by itself", () => {
    const story = new Story().start().ready().signal("SIGTTOU");
    story.exit(3, 1);
    assert.equal(story.state.stop, null);
  });

  it("down and up again is none either", () => {
    const story = new Story().start().ready().signal("SIGTTOU").signal("SIGTTIN");
    assert.equal(story.picture, "agent ready, 0 starting, 1 draining");
    story.exit(3, 0);
    assert.equal(story.picture, "agent ready, 0 starting, 1 starting");
    story.ready();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    assert.equal(story.state.phase, "running");
  });

  it("down and up again is none either when the one that was too many has to be killed", () => {
    const story = new Story().start().ready().signal("SIGTTOU").signal("SIGTTIN").pass(SETTINGS.stopTimeoutMs);
    assert.equal(story.state.stop, null);
    story.ready().ready();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
  });

  it("does not wait for the one that drains", () => {
    const story = new Story().start().ready().signal("SIGTTOU").ready(2);
    assert.equal(story.picture, "agent ready, 0 ready, 1 draining");
    assert.equal(story.state.phase, "running");
  });
});
