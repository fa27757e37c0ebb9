// An operator's restart of one child, and a reload that replaces the agent first.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Role } from "../../../src/policy/life.ts";
import { isReady } from "../../../src/policy/select.ts";
import { Story } from "../../helpers/story.ts";

const GOOD = { bootMs: 100, drainMs: 50, killMs: 0 } as const;

function restart(story: Story, role: Role, slot = 0): Story {
  return story.order({ kind: "restart", role, slot });
}

function reasons(story: Story, role: Role): readonly string[] {
  const starts = story.tallies("starts").filter((start) => start.role === role);
  return starts.map(({ reason }) => reason).filter((reason) => reason !== "boot");
}

function results(story: Story): readonly string[] {
  return story.tallies("reloads").map(({ result }) => result);
}

describe("a restart of a worker", () => {
  it("starts the successor first", () => {
    const story = restart(new Story().boot(), "worker", 1);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready+starting");
    story.ready().finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    assert.deepEqual(reasons(story, "worker"), ["restart"]);
    assert.equal(story.tallies("restarts").length, 0);
  });

  it("replaces in place with surge 0", () => {
    const story = restart(new Story({ surge: 0 }).boot(), "worker", 1).pass(0);
    assert.equal(story.picture, "agent ready, 0 ready, 1 draining+starting");
    assert.deepEqual(reasons(story, "worker"), ["restart"]);
  });

  it("is one, however often it was asked for meanwhile", () => {
    const story = new Story().boot();
    for (let times = 0; times < 5; times++) restart(story, "worker", 0);
    story.behave(GOOD).ready();
    restart(story, "worker", 0);
    story.pass(5_000);
    assert.deepEqual(reasons(story, "worker"), ["restart", "restart"]);
  });

  it("of all of them goes one by one", () => {
    const story = new Story({ workerCount: 3, hasAgent: false, surge: 2 }).boot();
    for (const slot of [0, 1, 2]) restart(story, "worker", slot);
    assert.equal(story.picture, "0 ready+starting, 1 ready, 2 ready");
    story.behave(GOOD).ready().pass(20_000);
    assert.equal(story.picture, "0 ready, 1 ready, 2 ready");
    assert.deepEqual(reasons(story, "worker"), ["restart", "restart", "restart"]);
  });

  it("of all of them goes one by one with surge 0, too", () => {
    const story = new Story({ surge: 0, hasAgent: false }).boot();
    for (const slot of [0, 1]) restart(story, "worker", slot);
    assert.equal(story.pass(0).picture, "0 draining+starting, 1 ready");
    story.behave(GOOD).ready().finishDrains().pass(5_000);
    assert.equal(story.picture, "0 ready, 1 ready");
    assert.deepEqual(reasons(story, "worker"), ["restart", "restart"]);
  });

  it("in backoff starts it at once, its failures forgiven", () => {
    const story = new Story().boot();
    for (let times = 0; times < 4; times++) {
      story.pass(2_000);
      story.exit(story.worker(0), 1);
    }
    assert.equal(story.picture, "agent ready, 0 empty, 1 ready");
    restart(story, "worker", 0);
    assert.equal(story.picture, "agent ready, 0 starting, 1 ready");
    assert.equal(story.slot(0).failures, 0);
    assert.equal(reasons(story, "worker").at(-1), "restart");
    story.exit(story.worker(0), 1);
    assert.equal(story.slot(0).failures, 1, "from here on it is a slot like any other");
  });

  it("does not wait for another slot that is down", () => {
    const story = new Story().boot();
    story.exit(story.worker(1), 1);
    restart(story, "worker", 0);
    assert.equal(story.picture, "agent ready, 0 ready+starting, 1 starting");
  });

  it("asked for during a reload is part of it where the slot is still to come, and follows it where it was done", () => {
    const story = restart(new Story().boot().signal("SIGHUP"), "worker", 1);
    story.ready().finishDrains();
    restart(story, "worker", 0);
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready+starting#2");
    story.ready().finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready#2+starting#2, 1 ready#2");
    assert.deepEqual(reasons(story, "worker"), ["reload", "reload", "restart"]);
  });

  it("asked for while a reload has its first worker on trial replaces whoever stays: the old one where the trial fails", () => {
    const story = new Story({ settleMs: 3_000 }).boot().signal("SIGHUP").ready();
    assert.equal(story.picture, "agent ready, 0 ready+ready#2, 1 ready");
    restart(story, "worker", 0);
    story.exit(4, 1);
    assert.deepEqual(results(story), ["failure"]);
    story.pass(0);
    assert.equal(reasons(story, "worker").at(-1), "restart");
    story.ready().finishDrains();
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 ready");
  });

  it("whose successor fails is tried again, and the old worker serves on", () => {
    const story = restart(new Story().boot(), "worker", 0);
    story.exit(4, 1);
    assert.equal(story.picture, "agent ready, 0 ready+starting, 1 ready");
    story.exit(5, 1);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    story.pass(600);
    assert.equal(story.picture, "agent ready, 0 ready+starting, 1 ready");
    assert.equal(story.slot(0).failures, 0);
  });

  for (const [role, slot, name] of [
    ["worker", 2, "worker 2"],
    ["worker", -1, "worker -1"],
    ["agent", 0, "agent"],
  ] as const) {
    it(`of ${name}, which there is not, is ignored with a warning`, () => {
      const story = restart(new Story({ hasAgent: false }).boot(), role, slot).pass(5_000);
      assert.equal(story.picture, "0 ready, 1 ready");
      assert.ok(story.logged(new RegExp(`^restart ignored: there is no ${name}$`)));
    });
  }

  it("is ignored while it starts, while the service starts, and while it stops", () => {
    const story = restart(new Story().start(), "agent");
    assert.ok(story.logged(/^restart ignored: the service is still starting$/));
    story.boot().exit(story.worker(0), 1);
    restart(story, "worker", 0);
    assert.ok(story.logged(/^restart ignored: worker 0 is starting$/));
    const forks = story.forks.length;
    restart(story.signal("SIGTERM"), "worker", 1);
    assert.equal(story.forks.length, forks);
  });
});

describe("a restart of the agent", () => {
  it("waits until the old one is gone, whatever that takes", () => {
    const story = restart(new Story({}, { killMs: 0 }).boot(), "agent");
    assert.equal(story.picture, "agent draining, 0 ready, 1 ready");
    story.pass(9_100);
    assert.equal(story.picture, "agent starting, 0 ready, 1 ready");
    story.ready();
    assert.deepEqual(reasons(story, "agent"), ["restart"]);
    assert.equal(story.state.agent?.failures, 0);
    assert.ok(isReady(story.state, story.now));
  });

  it("in backoff starts it at once", () => {
    const story = new Story().boot();
    for (let times = 0; times < 4; times++) {
      story.pass(2_000).ready();
      story.exit(story.agent, 1);
    }
    assert.equal(story.picture, "agent empty, 0 ready, 1 ready");
    restart(story, "agent");
    assert.equal(story.picture, "agent starting, 0 ready, 1 ready");
  });
});

describe("a reload with the agent", () => {
  const reload = (story: Story, agent = true): Story => story.order({ kind: "reload", agent });

  it("replaces the agent, awaits it, and then the workers", () => {
    const story = reload(new Story().boot());
    assert.equal(story.picture, "agent draining, 0 ready, 1 ready");
    story.finishDrains();
    assert.equal(story.picture, "agent starting#2, 0 ready, 1 ready");
    story.pass(5_000);
    assert.equal(story.picture, "agent starting#2, 0 ready, 1 ready");
    story.ready();
    assert.equal(story.picture, "agent ready#2, 0 ready+starting#2, 1 ready");
    story.behave(GOOD).ready().pass(5_000);
    assert.equal(story.picture, "agent ready#2, 0 ready#2, 1 ready#2");
    assert.deepEqual(results(story), ["success"]);
    assert.deepEqual(reasons(story, "agent"), ["reload"]);
  });

  it("fails when the new agent does: no worker is touched, and the agent is restarted as usual", () => {
    const story = reload(new Story().boot()).finishDrains();
    story.exit(story.agent, 1);
    assert.deepEqual(results(story), ["failure"]);
    assert.equal(story.state.lastRollout?.why, "agent of generation 2 failed");
    assert.equal(story.state.agent?.failures, 1);
    assert.equal(story.picture, "agent starting#2, 0 ready, 1 ready");
    story.exit(story.agent, 1);
    assert.equal(story.picture, "agent empty, 0 ready, 1 ready");
    story.pass(600).ready().pass(600);
    assert.equal(story.picture, "agent ready#2, 0 ready, 1 ready");
    assert.equal(story.forks.length, 6);
  });

  it("fails when the new agent is not ready in time", () => {
    const story = reload(new Story({ bootTimeoutMs: 5_000 }, { killMs: 20 }).boot())
      .finishDrains()
      .pass(5_500);
    assert.deepEqual(results(story), ["failure"]);
    assert.equal(story.state.agent?.failures, 1);
    assert.equal(story.picture, "agent starting#2, 0 ready, 1 ready");
  });

  it("takes an agent that is away or starting with the old code as it comes", () => {
    const away = new Story().boot();
    for (let times = 0; times < 4; times++) {
      away.pass(2_000).ready();
      away.exit(away.agent, 1);
    }
    assert.equal(reload(away).picture, "agent starting#2, 0 ready, 1 ready");
    const starting = new Story().boot();
    starting.exit(starting.agent, 1);
    assert.equal(reload(starting).picture, "agent draining, 0 ready, 1 ready");
    assert.equal(starting.finishDrains().picture, "agent starting#2, 0 ready, 1 ready");
    assert.equal(starting.behave(GOOD).ready().pass(5_000).picture, "agent ready#2, 0 ready#2, 1 ready#2");
  });

  it("is one without where there is no agent", () => {
    const story = reload(new Story({ hasAgent: false }, GOOD).start().pass(500)).pass(5_000);
    assert.equal(story.picture, "0 ready#2, 1 ready#2");
  });

  it("keeps the wish for the agent when it is queued, whoever else asks", () => {
    const story = new Story({}, GOOD).start().pass(1_000).signal("SIGHUP");
    reload(reload(story), false).signal("SIGHUP").pass(20_000);
    assert.equal(story.picture, "agent ready#3, 0 ready#3, 1 ready#3");
    assert.deepEqual(reasons(story, "agent"), ["reload"]);
    assert.deepEqual(results(story), ["success", "success"]);
  });

  it("goes on when the agent dies after it was ready", () => {
    const story = reload(new Story().boot()).finishDrains().ready();
    story.exit(story.agent, 1);
    story.behave(GOOD).ready().pass(5_000);
    assert.equal(story.picture, "agent ready#2, 0 ready#2, 1 ready#2");
    assert.deepEqual(results(story), ["success"]);
  });

  it("gives up the agent's turn to a stop", () => {
    const story = reload(new Story({}, GOOD).start().pass(1_000)).signal("SIGTERM").pass(10_000);
    assert.equal(story.exitCode, 0);
  });
});
