// Silence and suspension, over random pauses of the master: who answers is never killed, and who hangs always is, in time that the master was awake for.
// A failure prints its seed.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Story } from "../../helpers/story.ts";

const RUNS = 300;
const TICK_MS = 1_000;

/** mulberry32. */
function dice(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function eachSeed(check: (random: () => number, seed: number) => void): void {
  const first = Math.floor(Math.random() * 2 ** 31);
  for (let seed = first; seed < first + RUNS; seed++) {
    try {
      check(dice(seed), seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** The master stands still, and then hears what was said meanwhile. */
function pause(story: Story, ms: number): void {
  story.suspend(ms);
  for (const { id, state } of story.lives()) if (state === "ready" && !story.silent.has(id)) story.beat(id);
}

describe("however often the master pauses", () => {
  it("a child that answers whenever the master is awake is never killed, nor suspected", () => {
    eachSeed((random) => {
      const heartbeatTimeoutMs = 2_000 + Math.floor(random() * 28_000);
      const story = new Story({ heartbeatTimeoutMs, rollCallPeriodMs: 600_000 }).boot();
      for (let times = 0; times < 20; times++) pause(story.pass(Math.floor(random() * 3_000)), Math.floor(random() * 100_000));
      story.pass(2 * heartbeatTimeoutMs);
      assert.deepEqual(story.all("kill"), []);
      assert.ok(!story.logged(/has not answered/), "suspected");
    });
  });

  it("a child that hangs is killed once the master was awake for its timeout, and no sooner", () => {
    eachSeed((random) => {
      const heartbeatTimeoutMs = 2_000 + Math.floor(random() * 28_000);
      const story = new Story({ heartbeatTimeoutMs, rollCallPeriodMs: 600_000 }).boot();
      const hung = story.worker(0);
      story.beat(hung).silent.add(hung);
      let [awakeMs, pauses] = [0, 0];
      const isKilled = () => story.all("kill").some(({ life }) => life === hung);
      while (!isKilled()) {
        assert.ok(awakeMs <= heartbeatTimeoutMs + TICK_MS, `alive after ${awakeMs} ms of ${heartbeatTimeoutMs}`);
        const ms = Math.floor(random() * 900);
        story.pass(ms);
        awakeMs += ms;
        // A pause that is too short to be told from work is none.
        if (isKilled() || random() < 0.5) continue;
        pause(story, 3 * TICK_MS + Math.floor(random() * 100_000));
        pauses++;
      }
      // When a pause began is known to a tick.
      assert.ok(awakeMs + pauses * TICK_MS >= heartbeatTimeoutMs, `killed after ${awakeMs} ms of ${heartbeatTimeoutMs}`);
      assert.equal(story.all("kill").length, 1, "nobody else");
    });
  });

  it("a child that boots, or drains in a reload, has its whole time", () => {
    const booting = new Story({ hasAgent: false, bootTimeoutMs: 10_000 }).start();
    for (let pause = 0; pause < 9; pause++) booting.pass(1_000).suspend(50_000);
    assert.equal(booting.all("kill").length, 0);
    booting.pass(1_100);
    assert.equal(booting.all("kill").length, 2);

    const draining = new Story({ hasAgent: false, workerCount: 1, stopTimeoutMs: 9_000 }).boot().signal("SIGHUP").ready();
    assert.equal(draining.picture, "0 draining+ready#2");
    draining.suspend(60_000).pass(8_500);
    assert.equal(draining.all("kill").length, 0);
    draining.pass(600);
    assert.equal(draining.all("kill").length, 1);
  });

  it("a stop has its budget and no more: whoever counts its seconds has not paused", () => {
    const story = new Story({ hasAgent: false, workerCount: 1, stopTimeoutMs: 9_000 }).boot().signal("SIGTERM");
    story.suspend(60_000);
    assert.equal(story.all("kill").length, 1);
  });

  it("a pause in a stop takes nothing of the agent's part of it: the workers' own deadline stays where it was", () => {
    const story = new Story({ workerCount: 1, stopTimeoutMs: 9_000 }).boot().signal("SIGTERM");
    story.suspend(4_000).pass(3_800);
    assert.equal(story.picture, "agent draining, 0 empty");
    assert.deepEqual(
      story.all("kill").map(({ life }) => life),
      [2],
    );
  });
});
