// A new generation's first worker is on trial: until it has stayed ready for `settle`, nobody leaves for it and no other starts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Story } from "../../helpers/story.ts";

const GOOD = { bootMs: 100, drainMs: 50, killMs: 0 } as const;

function reloading(settings: ConstructorParameters<typeof Story>[0] = {}): Story {
  return new Story({ settleMs: 3_000, hasAgent: false, workerCount: 3, ...settings }).boot().behave(GOOD).signal("SIGHUP").pass(200);
}

function results(story: Story): readonly string[] {
  return story.tallies("reloads").map(({ result }) => result);
}

describe("the first worker of a new generation", () => {
  it("serves beside the one that it is to replace, and alone of its kind", () => {
    const story = reloading().pass(2_800);
    assert.equal(story.picture, "0 ready+ready#2, 1 ready, 2 ready");
    assert.equal(story.forks.length, 4);
  });

  it("is followed by the others without another wait", () => {
    const story = reloading().pass(3_900);
    assert.equal(story.picture, "0 ready#2, 1 ready#2, 2 ready#2");
    assert.deepEqual(results(story), ["success"]);
  });

  it("is alone even where surge allows more", () => {
    assert.equal(reloading({ surge: 3 }).picture, "0 ready+ready#2, 1 ready, 2 ready");
  });

  for (const [how, end] of [
    ["exits", (story: Story, life: number) => story.exit(life, 1)],
    ["is killed", (story: Story, life: number) => story.exit(life, "SIGKILL")],
    ["has an uncaught exception", (story: Story, life: number) => story.fault(life)],
  ] as const) {
    it(`${how} within that time: nothing has been replaced, and no worker has lost its record`, () => {
      const story = reloading().pass(1_800);
      assert.equal(story.state.servedGeneration, 2);
      end(story, 4);
      assert.equal(story.state.servedGeneration, 1);
      assert.deepEqual(results(story), ["failure"]);
      assert.equal(story.state.lastRollout?.why, "worker 0 of generation 2 failed");
      assert.equal(story.slot(0).failures, 0);
      story.pass(10_000);
      assert.equal(story.picture, "0 ready, 1 ready, 2 ready");
      assert.equal(story.forks.length, 4);
    });
  }

  it("falls silent within that time: it is killed, and the reload ends", () => {
    const story = reloading({ settleMs: 60_000 });
    story.silent.add(4);
    story.pass(40_000);
    assert.deepEqual(results(story), ["failure"]);
    assert.equal(story.picture, "0 ready, 1 ready, 2 ready");
  });

  it("takes the slot when the old worker goes meanwhile", () => {
    const story = reloading();
    story.exit(1, 1);
    assert.equal(story.picture, "0 ready#2, 1 ready, 2 ready");
    story.pass(5_000);
    assert.deepEqual(results(story), ["success"]);
  });

  it("is waited for in place as well: nobody else leaves before it has stayed", () => {
    const story = reloading({ surge: 0 });
    assert.equal(story.picture, "0 ready#2, 1 ready, 2 ready");
    story.pass(2_500);
    assert.equal(story.picture, "0 ready#2, 1 ready, 2 ready");
    story.pass(2_000);
    assert.equal(story.picture, "0 ready#2, 1 ready#2, 2 ready#2");
  });

  it("is said to be watched, once", () => {
    const { effects } = reloading().pass(5_000);
    assert.equal(effects.filter((effect) => effect.type === "log" && /must stay ready for 3000 ms/.test(effect.message)).length, 1);
  });

  it("is the agent where it is replaced too: no worker is touched before it has stayed", () => {
    const story = new Story({ settleMs: 3_000 }).boot().behave(GOOD);
    story.order({ kind: "reload", agent: true }).pass(2_500);
    assert.equal(story.picture, "agent ready#2, 0 ready, 1 ready");
    story.pass(1_000);
    assert.equal(story.picture, "agent ready#2, 0 ready+ready#2, 1 ready");
    story.pass(5_000);
    assert.equal(story.picture, "agent ready#2, 0 ready#2, 1 ready#2");
  });
});
