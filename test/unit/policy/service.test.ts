// Boot: what starts in which order, and how a failed start ends. And the master that was suspended.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nextDeadline, TICK_MS } from "../../../src/policy/service.ts";
import { Story } from "../../helpers/story.ts";

describe("boot", () => {
  it("starts the agent alone, then all workers at once, then says that it is ready", () => {
    const story = new Story({ workerCount: 3 }).start();
    assert.equal(story.picture, "agent starting");
    story.ready();
    assert.equal(story.picture, "agent ready, 0 starting, 1 starting, 2 starting");
    story.ready(2, 3);
    assert.equal(story.all("announce-ready").length, 0);
    story.ready(4);
    assert.equal(story.state.phase, "running");
    assert.equal(story.all("announce-ready").length, 1);
    assert.deepEqual(
      story.tallies("starts").map(({ role, reason }) => `${role} ${reason}`),
      ["agent boot", "worker boot", "worker boot", "worker boot"],
    );
  });

  it("starts the workers at once where there is no agent", () => {
    assert.equal(new Story({ hasAgent: false }).start().picture, "0 starting, 1 starting");
  });

  it("schedules the first roll call one period after it became ready", () => {
    const story = new Story().start().pass(4_000);
    assert.equal(story.state.rollCall.nextAt, null);
    story.ready().pass(4_000).ready();
    assert.equal(story.state.rollCall.nextAt, story.now + 10_000);
  });

  it("remembers the pid of each child", () => {
    assert.deepEqual(
      new Story()
        .boot()
        .lives()
        .map(({ pid }) => pid),
      [10_001, 10_002, 10_003],
    );
  });

  it("says it is ready once, however often workers come back", () => {
    const story = new Story().boot();
    for (const index of [0, 1, 0]) {
      story.exit(story.worker(index));
      story.pass(2_000).ready();
    }
    assert.equal(story.all("announce-ready").length, 1);
  });
});

describe("a start that fails", () => {
  it("ends with 4 when the agent exits before it is ready", () => {
    const story = new Story().start();
    story.exit(story.agent, 1);
    assert.equal(story.exitCode, 4);
  });

  it("ends with 3 when a worker exits before it is ready, and drains the others first", () => {
    const story = new Story().start().ready();
    story.ready(story.worker(1));
    story.exit(story.worker(0), 1);
    assert.equal(story.picture, "agent ready, 0 empty, 1 draining");
    assert.equal(story.exitCode, null);
    story.finishDrains().finishDrains();
    assert.equal(story.exitCode, 3);
  });

  it("ends with 3 even when the worker exits with code 0", () => {
    const story = new Story({ hasAgent: false, workerCount: 1 }).start();
    story.exit(story.worker(0), 0);
    assert.equal(story.exitCode, 3);
  });

  it("ends with 7 when the child said that its port is taken", () => {
    for (const hasAgent of [false, true]) {
      const story = new Story({ hasAgent, workerCount: 1 }).start();
      const [life] = story.lives();
      story.fault(life?.id ?? 0, { code: "EADDRINUSE", port: 80 });
      story.exit(life?.id ?? 0, 1);
      assert.equal(story.exitCode, 7);
    }
  });

  it("says what is awaited of a child that has nothing left to do, while it is starting and not later", () => {
    const story = new Story().start();
    const id = story.agent;
    story.feed({ type: "idled", life: id });
    assert.ok(
      story.logged(/^agent is not ready and has nothing left to do .*; waiting for its module .*, until boot-timeout \(60000 ms\)$/),
    );
    assert.equal(story.picture, "agent starting");
    const before = story.all("log").length;
    story.ready();
    const between = story.all("log").length;
    story.feed({ type: "idled", life: id });
    assert.deepEqual([before < between, story.all("log").length], [true, between]);
  });

  it("kills a child that is not ready within boot-timeout, not earlier", () => {
    const story = new Story({ bootTimeoutMs: 5_000 }, { killMs: null }).start().pass(4_999);
    assert.equal(story.picture, "agent starting");
    story.pass(1);
    assert.equal(story.picture, "agent killing");
    assert.equal(story.all("kill").length, 1);
    story.exit(1, "SIGKILL");
    assert.equal(story.exitCode, 4);
  });

  it("keeps its code when killing is needed to stop the rest", () => {
    const story = new Story().start().ready();
    story.exit(story.worker(0), 1);
    story.pass(9_000);
    assert.equal(story.exitCode, 3);
    assert.equal(story.all("kill").length, 2);
  });
});

describe("the clock", () => {
  it("asks for the next turn within a tick, and not before now", () => {
    const story = new Story().boot();
    const next = nextDeadline(story.state, story.now);
    assert.ok(next > story.now && next <= story.now + TICK_MS, String(next - story.now));
  });

  it("rests while an agent ends before its successor may start", () => {
    const story = new Story().boot();
    story.fault(story.agent);
    assert.ok(nextDeadline(story.state, story.now) > story.now);
    story.pass(5_000);
    assert.equal(story.picture, "agent draining, 0 ready, 1 ready");
  });

  it("rests while a slot that is too many drains", () => {
    const story = new Story().boot().signal("SIGTTOU").pass(5_000);
    assert.equal(story.picture, "agent ready, 0 ready, 1 draining");
  });

  it("rests while the kernel takes its time to end what was killed", () => {
    const story = new Story({}, { killMs: null }).boot().signal("SIGTERM").pass(30_000);
    assert.equal(story.picture, "agent ready, 0 killing, 1 killing".replace("agent ready", "agent killing"));
    assert.equal(story.all("kill").length, 3);
  });
});

describe("a suspended master", () => {
  it("kills nobody for heartbeats that it could not hear", () => {
    const story = new Story().boot().suspend(3_600_000).pass(20_000);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    assert.equal(story.all("kill").length, 0);
    assert.equal(story.state.rollCall.strikes, 0);
    assert.ok(story.logged(/stood still for 3600000 ms/));
  });

  it("gives children that boot the lost time back", () => {
    const story = new Story().start().pass(50_000).suspend(600_000).pass(9_000);
    assert.equal(story.picture, "agent starting");
    story.pass(1_000);
    assert.equal(story.exitCode, 4);
  });

  it("still kills one that stays silent afterwards", () => {
    const story = new Story().boot().suspend(600_000);
    story.silent.add(story.worker(0));
    // When in the last tick the pause began, nobody knows.
    story.pass(28_900);
    assert.equal(story.all("kill").length, 0);
    story.pass(1_600);
    assert.equal(story.all("kill").length, 1);
  });

  it("takes the strike that is due, and no more", () => {
    const story = new Story().boot();
    for (const index of [0, 1]) story.exit(story.worker(index));
    story.suspend(3_600_000);
    assert.equal(story.state.rollCall.strikes, 1);
  });
});
