// Restarts: replaced at once, then with backoff; a crash loop ends the service, one bad slot among good ones never.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backoffMs } from "../../../src/policy/restart.ts";
import { SETTINGS, Story } from "../../helpers/story.ts";

const { backoff } = SETTINGS;

/** Crashes whatever holds slot 0 as soon as it is there, and tells the delays between an end and the next start. */
function delaysOf(story: Story, count: number, end: (story: Story) => void): number[] {
  const delays: number[] = [];
  for (let round = 0; round < count; round++) {
    const forks = story.forks.length;
    end(story);
    const endedAt = story.now;
    for (let tries = 0; story.forks.length === forks; tries++) {
      assert.ok(tries < 1_000, `nothing was started: ${story.picture}`);
      story.pass(100);
    }
    delays.push((story.forks.at(-1)?.at ?? 0) - endedAt);
  }
  return delays;
}

describe("backoff", () => {
  it("waits nothing, then 500 ms, doubling up to the limit", () => {
    const delays = Array.from({ length: 12 }, (_, failures) => backoffMs(failures, backoff, 0.5));
    assert.deepEqual(delays, [0, 0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  });

  it("keeps the jitter within its share", () => {
    assert.equal(backoffMs(5, backoff, 0), 3_600);
    assert.equal(backoffMs(5, backoff, 0.999_999), 4_400);
    assert.equal(backoffMs(5, { ...backoff, jitter: 0 }, 0), 4_000);
  });

  it("never overflows, however many failures there were", () => {
    assert.equal(backoffMs(100_000, backoff, 0.5), 30_000);
    assert.equal(backoffMs(100_000, { ...backoff, delayMs: 0 }, 0.5), 0);
  });

  it("spaces the lives of a worker that crashes when it is ready", () => {
    const story = new Story().boot();
    const delays = delaysOf(story, 6, () => {
      story.ready();
      story.exit(story.worker(0), 1);
    });
    assert.deepEqual(delays, [0, 500, 1_000, 2_000, 4_000, 8_000]);
  });

  it("spaces the lives of a worker that fails while rebooting, and does not lose the slot", () => {
    const story = new Story().boot();
    const delays = delaysOf(story, 5, () => story.exit(story.worker(0), 1));
    assert.deepEqual(delays, [0, 500, 1_000, 2_000, 4_000]);
    story.ready();
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
  });

  it("spaces the lives of the agent in the same way, while the workers live on", () => {
    const story = new Story().boot();
    const delays = delaysOf(story, 5, () => story.exit(story.agent, 1));
    assert.deepEqual(delays, [0, 500, 1_000, 2_000, 4_000]);
    assert.equal(story.picture, "agent starting, 0 ready, 1 ready");
  });

  it("forgets the failures once a life has lasted", () => {
    const story = new Story().boot();
    delaysOf(story, 4, () => story.exit(story.worker(0), 1));
    story.ready().pass(30_000);
    assert.deepEqual(
      delaysOf(story, 2, () => story.exit(story.worker(0), 1)),
      [0, 0],
    );
  });

  it("does not forget them a moment too early", () => {
    const story = new Story().boot();
    delaysOf(story, 3, () => story.exit(story.worker(0), 1));
    story.ready().pass(29_999);
    assert.deepEqual(
      delaysOf(story, 1, () => story.exit(story.worker(0), 1)),
      [2_000],
    );
  });

  it("forgets them for a life that lasted and was then replaced by a reload", () => {
    const story = new Story().boot();
    delaysOf(story, 3, () => story.exit(story.worker(0), 1));
    story.ready().pass(60_000);
    assert.equal(story.slot(0).failures, 0);
    story.signal("SIGHUP").ready().finishDrains().ready().finishDrains();
    assert.deepEqual(
      delaysOf(story, 1, () => story.exit(story.worker(0), 1)),
      [0],
    );
  });

  it("counts each life that replaced a failed one as a restart", () => {
    const story = new Story().boot();
    delaysOf(story, 3, () => story.exit(story.worker(0), "SIGKILL"));
    assert.equal(story.slot(0).restarts, 3);
    assert.equal(story.slot(1).restarts, 0);
    assert.deepEqual(story.tallies("restarts"), Array(3).fill({ metric: "restarts", role: "worker" }));
  });

  it("replaces a worker with an uncaught exception at once, while that finishes what it has", () => {
    const story = new Story().boot();
    const effects = story.fault(story.worker(0));
    assert.equal(story.picture, "agent ready, 0 draining+starting, 1 ready");
    const order = effects.find((effect) => effect.type === "drain");
    assert.equal(order?.life, 2);
    story.exit(2, 1);
    assert.equal(story.picture, "agent ready, 0 starting, 1 ready");
    assert.deepEqual(story.tallies("exits").at(-1), { metric: "exits", role: "worker", outcome: "crash" });
  });

  it("replaces an agent with an uncaught exception only when that is gone: there is one agent", () => {
    const story = new Story().boot();
    story.fault(story.agent);
    assert.equal(story.picture, "agent draining, 0 ready, 1 ready");
    story.exit(1, 1);
    assert.equal(story.picture, "agent starting, 0 ready, 1 ready");
  });

  it("kills a worker that drains for ever after its exception", () => {
    const story = new Story().boot();
    story.fault(story.worker(0));
    story.pass(9_000);
    assert.deepEqual(story.all("kill"), [{ type: "kill", life: 2, examine: false }]);
  });
});

describe("a silent child", () => {
  it("is first reported, then killed and replaced at once", () => {
    const story = new Story().boot();
    story.silent.add(story.worker(0));
    story.pass(15_500);
    assert.ok(story.logged(/worker 0 has not answered for 15000 ms/));
    assert.equal(story.all("kill").length, 0);
    story.pass(15_000);
    assert.equal(story.picture, "agent ready, 0 starting, 1 ready");
    assert.deepEqual(story.tallies("starts").at(-1), { metric: "starts", role: "worker", reason: "unresponsive" });
    assert.deepEqual(story.tallies("exits"), [{ metric: "exits", role: "worker", outcome: "unresponsive" }]);
    assert.deepEqual(story.all("kill"), [{ type: "kill", life: 2, examine: true }]);
  });

  it("is not looked at first while the service stops: nobody waits to know", () => {
    const story = new Story({ drainDelayMs: 600_000, stopTimeoutMs: 900_000 }).boot().signal("SIGTERM");
    story.silent.add(story.worker(0));
    story.pass(31_000);
    assert.deepEqual(story.all("kill"), [{ type: "kill", life: 2, examine: false }]);
  });

  it("is forgiven when it answers in time", () => {
    const story = new Story().boot();
    story.silent.add(story.worker(0));
    story.pass(20_000);
    story.silent.clear();
    story.pass(60_000);
    assert.ok(story.logged(/worker 0 answers again/));
    assert.equal(story.all("kill").length, 0);
  });

  it("is never two agents: the new one waits until the killed one is gone", () => {
    const story = new Story({}, { killMs: null }).boot();
    story.silent.add(story.agent);
    story.pass(40_000);
    assert.equal(story.picture, "agent killing, 0 ready, 1 ready");
    story.exit(1, "SIGKILL");
    assert.equal(story.picture, "agent starting, 0 ready, 1 ready");
  });
});

describe("crash loop", () => {
  it("ends with 6 when every worker has used up its restarts", () => {
    const story = new Story({ maxRestarts: 3, onException: "report" }).boot();
    for (let round = 0; round < 3; round++) {
      assert.equal(story.state.stop, null);
      for (const index of [0, 1]) story.exit(story.worker(index), 1);
      story.pass(1_000);
    }
    assert.equal(story.state.stop?.reason, "crash-loop");
    story.finishDrains();
    assert.equal(story.exitCode, 6);
    assert.ok(story.logged(/crash loop: every worker failed 3 times/));
  });

  it("ends with 6 when the agent has", () => {
    const story = new Story({ maxRestarts: 3 }).boot();
    for (let round = 0; round < 3; round++) {
      story.exit(story.agent, 1);
      story.pass(1_000);
    }
    story.finishDrains();
    assert.equal(story.exitCode, 6);
  });

  it("counts uncaught exceptions as well as exits", () => {
    const story = new Story({ maxRestarts: 2, workerCount: 1 }).boot();
    story.fault(story.worker(0));
    story.ready();
    story.fault(story.worker(0));
    assert.equal(story.state.stop?.reason, "crash-loop");
  });

  it("never comes of one bad slot among good ones: that is retried at the limit, for ever", () => {
    const story = new Story({ maxRestarts: 3 }).boot();
    const delays = delaysOf(story, 40, () => story.exit(story.worker(0), 1));
    assert.equal(story.state.stop, null);
    assert.equal(delays.at(-1), 30_000);
    assert.equal(story.slot(0).failures, 40);
    assert.equal(story.state.rollCall.strikes, 0);
  });

  it("does not count lives that lasted", () => {
    const story = new Story({ maxRestarts: 3, workerCount: 1 }).boot();
    for (let round = 0; round < 10; round++) {
      story.pass(31_000);
      story.exit(story.worker(0), 1);
      story.ready();
    }
    assert.equal(story.state.stop, null);
  });
});
