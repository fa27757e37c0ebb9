// Recycling by memory of an app that leaks fast: the wait between hasty recycles, which spares an app that is merely large, does not end in an OOM.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Limits, Sample } from "../../../src/policy/life.ts";
import { NO_LIMITS } from "../../../src/policy/limits.ts";
import type { Settings } from "../../../src/policy/state.ts";
import { Story } from "../../helpers/story.ts";

const MIB = 1024 * 1024;
const SHARE = 136 * MIB;

/** A story whose worker has just been too large for the third time in a row, soon after its start: it must wait. */
function waiting(said: Partial<Sample>, settings: Partial<Settings> = {}): Story {
  const limits: Limits = { ...NO_LIMITS, residentBytes: 120 * MIB, heapBytes: 50 * MIB };
  const story = new Story({ hasAgent: false, workerCount: 1, limits, shareBytes: SHARE, ...settings }).boot();
  for (let times = 0; times < 2; times++) {
    story.pass(600).beat(story.worker(0), said).pass(600).ready().finishDrains();
  }
  assert.equal(story.picture, "0 ready");
  story.says = () => said;
  story.beat(story.worker(0));
  assert.equal(story.picture, "0 ready", "it waits");
  assert.ok(story.slot(0).renewal.restUntil > story.now);
  return story;
}

describe("a worker that waits for its recycle", () => {
  it("is recycled at once when it has grown near to its share", () => {
    const story = waiting({ residentBytes: 121 * MIB });
    story.beat(story.worker(0), { residentBytes: 130 * MIB });
    assert.equal(story.picture, "0 ready+starting");
    assert.ok(story.logged(/^worker 0 is recycled without more delay: its memory has grown to 130 MiB meanwhile$/));
  });

  it("is recycled at once when what it keeps of its heap has grown", () => {
    const story = waiting({ heapLiveBytes: 50 * MIB });
    story.beat(story.worker(0), { heapLiveBytes: 53 * MIB });
    assert.equal(story.picture, "0 ready+starting");
    assert.ok(story.logged(/its heap has grown to 53 MiB meanwhile$/));
  });

  for (const [what, first, then] of [
    ["has not grown, however large it is", { residentBytes: 180 * MIB }, { residentBytes: 181 * MIB }],
    ["has grown far from its share", { residentBytes: 120 * MIB }, { residentBytes: 129 * MIB }],
    ["has garbage in its heap", { heapLiveBytes: 50 * MIB }, { heapLiveBytes: 51 * MIB, heapUsedBytes: 90 * MIB }],
  ] as const) {
    it(`goes on waiting when it ${what}`, () => {
      const story = waiting(first);
      for (let times = 0; times < 10; times++) story.beat(story.worker(0), then);
      assert.equal(story.picture, "0 ready");
    });
  }

  it("goes on waiting where there is no limit of the container's to fear", () => {
    const story = waiting({ residentBytes: 121 * MIB }, { shareBytes: null });
    story.beat(story.worker(0), { residentBytes: 900 * MIB });
    assert.equal(story.picture, "0 ready");
  });

  it("is hurried once", () => {
    const story = waiting({ residentBytes: 121 * MIB });
    for (let times = 0; times < 5; times++) story.beat(story.worker(0), { residentBytes: (140 + times) * MIB });
    assert.equal(story.all("log").filter(({ message }) => /without more delay/.test(message)).length, 1);
  });
});
