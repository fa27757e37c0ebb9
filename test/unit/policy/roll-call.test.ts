// The roll call: strikes, their reset, the exception and its consequence. And readiness, which is not sampled.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isLive, isReady, serviceState } from "../../../src/policy/select.ts";
import type { Settings } from "../../../src/policy/state.ts";
import { Story } from "../../helpers/story.ts";

const GOOD = { bootMs: 100, drainMs: 50, killMs: 0 } as const;

function loseAgent(settings: Partial<Settings> = {}): Story {
  const story = new Story({ maxRestarts: 1_000, ...settings }).boot();
  story.exit(story.agent, 1);
  return story;
}

function loseWorkers(story: Story): Story {
  for (const { index, lives } of story.state.workers) if (lives.length > 0) story.exit(story.worker(index), 1);
  return story;
}

describe("the roll call", () => {
  it("counts every period, and strikes nobody while all are present", () => {
    const story = new Story().boot().pass(60_000);
    assert.deepEqual(story.tallies("roll-calls"), Array(6).fill({ metric: "roll-calls", result: "success" }));
    assert.equal(story.state.rollCall.strikes, 0);
  });

  it("counts an absent agent: strike 1, 2, 3, then the exception, linger, exit 5", () => {
    const story = loseAgent().pass(10_000);
    assert.equal(story.state.rollCall.strikes, 1);
    story.pass(10_000);
    assert.equal(story.state.rollCall.strikes, 2);
    assert.ok(isLive(story.state));
    assert.ok(story.logged(/^roll call: strike 2 of 3: the agent is absent, 2 workers are present$/));
    story.pass(9_999);
    assert.ok(isLive(story.state));
    story.pass(1);
    assert.equal(story.state.rollCall.strikes, 3);
    assert.ok(!isLive(story.state));
    assert.ok(story.logged(/^ClusterWorkerExceptionError: 3 roll calls failed in a row; exiting with code 5 in 5000 ms/));
    story.pass(4_999);
    assert.ok(!story.logged(/stopping with exit code/));
    story.pass(1);
    assert.equal(story.state.stop?.reason, "roll-call");
    story.finishDrains().finishDrains();
    assert.equal(story.exitCode, 5);
    assert.ok(!isLive(story.state), "liveness stays false");
  });

  it("counts the loss of all workers", () => {
    const story = new Story({ maxRestarts: 1_000 }).boot();
    loseWorkers(story).pass(30_000);
    assert.equal(story.state.rollCall.strikes, 3);
    assert.ok(
      story.logged(/^roll call: strike 2 of 3: no worker is present, and for 100 % of the time since the last one none was ready$/),
    );
  });

  it("counts one worker of many as present", () => {
    const story = new Story({ workerCount: 4 }).boot();
    for (const index of [1, 2, 3]) story.exit(story.worker(index), 1);
    story.pass(40_000);
    assert.equal(story.state.rollCall.strikes, 0);
  });

  it("counts the agent as present where there is none", () => {
    assert.equal(new Story({ hasAgent: false }).boot().pass(40_000).state.rollCall.strikes, 0);
  });

  it("starts at 0 again when everybody came back before the last strike", () => {
    const story = loseAgent().pass(25_000).ready().pass(5_000);
    assert.equal(story.state.rollCall.strikes, 0);
    assert.ok(story.logged(/everybody is present again/));
    story.exit(story.agent, 1);
    story.pass(20_000);
    assert.equal(story.state.rollCall.strikes, 2);
    assert.ok(isLive(story.state));
  });

  it("counts a child that does not answer as absent, before it is killed", () => {
    const story = new Story({ hasAgent: false, workerCount: 1 }).boot();
    story.silent.add(story.worker(0));
    story.pass(20_100);
    assert.equal(story.picture, "0 ready");
    assert.equal(story.state.rollCall.strikes, 1);
    assert.ok(story.logged(/^roll call: strike 1 of 3: no worker is present/), "of an agent that nobody asked for nothing is said");
  });

  it("strikes when no worker was ready for more than half of the time, even if one is ready now", () => {
    const story = new Story().boot();
    loseWorkers(story).pass(5_100).ready().pass(4_900);
    assert.equal(story.state.rollCall.strikes, 1);
    story.pass(10_000);
    assert.equal(story.state.rollCall.strikes, 0);
  });

  it("does not strike when it was just less than half of the time, in several pieces", () => {
    const story = new Story().boot();
    loseWorkers(story).pass(2_400).ready().pass(1_000);
    loseWorkers(story).pass(2_500).ready().pass(4_100);
    assert.equal(story.tallies("roll-calls").length, 1);
    assert.equal(story.state.rollCall.strikes, 0);
  });

  it("adds the pieces up", () => {
    const story = new Story().boot();
    loseWorkers(story).pass(2_600).ready().pass(1_000);
    loseWorkers(story).pass(2_500).ready().pass(3_900);
    assert.equal(story.state.rollCall.strikes, 1);
  });

  it("does not take the time before a roll call twice", () => {
    const story = new Story().boot();
    loseWorkers(story).pass(12_000).ready().pass(8_000);
    assert.equal(story.tallies("roll-calls").length, 2);
    assert.equal(story.state.rollCall.strikes, 0);
  });

  it("takes as many strikes as failure-threshold says", () => {
    const story = loseAgent({ failureThreshold: 1, rollCallPeriodMs: 2_000 }).pass(2_000);
    assert.ok(!isLive(story.state));
  });

  it("exits once the exception is raised, also when everybody comes back while it lingers", () => {
    const story = loseAgent({ rollCallPeriodMs: 1_000 }).pass(3_000);
    assert.ok(!isLive(story.state));
    story.ready().pass(3_000);
    assert.ok(!isLive(story.state));
    story.pass(2_000);
    assert.equal(story.state.stop?.reason, "roll-call");
  });

  it("is reached or not independently of the crash loop: the first names the exit", () => {
    const story = loseAgent({ maxRestarts: 2, rollCallPeriodMs: 60_000 });
    story.exit(story.agent, 1);
    assert.equal(story.state.stop?.reason, "crash-loop");
  });

  it("names the exit once its exception is raised, also when a crash loop is reached while it lingers", () => {
    const story = loseAgent({ maxRestarts: 2, rollCallPeriodMs: 1_000 }).pass(3_000);
    story.exit(story.agent, 1);
    story.pass(5_000).finishDrains().finishDrains();
    assert.equal(story.exitCode, 5);
  });

  it("is not taken while stopping", () => {
    const story = loseAgent().pass(25_000).signal("SIGTERM").pass(8_000);
    assert.equal(story.tallies("roll-calls").length, 2);
  });
});

describe("on-exception: report", () => {
  it("fails liveness without an exit, and takes it back on recovery", () => {
    const story = loseAgent({ onException: "report" }).pass(120_000);
    assert.equal(story.state.stop, null);
    assert.ok(!isLive(story.state));
    assert.equal(story.all("log").filter(({ message }) => message.startsWith("ClusterWorkerExceptionError")).length, 1);
    story.ready().pass(10_000);
    assert.ok(isLive(story.state));
    assert.equal(story.state.rollCall.strikes, 0);
  });

  it("raises again for the next row of strikes", () => {
    const story = loseAgent({ onException: "report" }).pass(30_000).ready().pass(10_000);
    story.exit(story.agent, 1);
    story.pass(30_000);
    assert.ok(!isLive(story.state));
    assert.equal(story.all("log").filter(({ message }) => message.startsWith("ClusterWorkerExceptionError")).length, 2);
  });
});

describe("readiness", () => {
  const ready = (story: Story) => isReady(story.state, story.now);

  it("is false until every worker of the first generation is ready", () => {
    const story = new Story().start();
    assert.ok(!ready(story));
    story.ready();
    assert.ok(!ready(story));
    story.ready(2);
    assert.ok(!ready(story));
    story.ready(3);
    assert.ok(ready(story));
  });

  it("turns false with the last ready worker, and back by itself, at once", () => {
    const story = new Story().boot();
    story.exit(story.worker(0), 1);
    assert.ok(ready(story));
    story.exit(story.worker(1), 1);
    assert.ok(!ready(story));
    story.ready();
    assert.ok(ready(story));
  });

  it("turns false under min-ready", () => {
    const story = new Story({ minReady: 2, workerCount: 3 }).boot();
    story.exit(story.worker(0), 1);
    assert.ok(ready(story));
    story.exit(story.worker(1), 1);
    assert.ok(!ready(story));
  });

  it("asks for no more workers than there should be", () => {
    const story = new Story({ minReady: 2, workerCount: 2 }, GOOD).start().pass(1_000).signal("SIGTTOU").pass(1_000);
    assert.equal(story.picture, "agent ready, 0 ready");
    assert.ok(ready(story));
  });

  it("bears the agent's absence for its grace, no longer", () => {
    const story = loseAgent().pass(9_999);
    assert.ok(ready(story));
    story.pass(1);
    assert.ok(!ready(story));
    story.ready();
    assert.ok(ready(story));
  });

  it("is looked at again at the very moment when the agent's grace ends", () => {
    const story = loseAgent({ agentGraceMs: 4_321 });
    const moments: number[] = [];
    const lostAt = story.now;
    story.watch = () => moments.push(story.now - lostAt);
    story.pass(5_000);
    assert.ok(moments.includes(4_321));
  });

  it("counts the grace from the first moment without a ready agent, whatever its successors do", () => {
    const story = loseAgent().pass(6_000);
    story.exit(story.agent, 1);
    story.pass(4_000);
    assert.ok(!ready(story));
  });

  it("stays true through a reload, and turns false with the stop", () => {
    const story = new Story({ drainDelayMs: 2_000 }).boot().signal("SIGHUP").ready();
    assert.equal(serviceState(story.state), "reloading");
    assert.ok(ready(story));
    story.signal("SIGTERM");
    assert.equal(serviceState(story.state), "stopping");
    assert.ok(!ready(story));
    assert.ok(isLive(story.state), "liveness stays true while draining");
  });
});
