// How an end reads: the words say what happened, and what to do where that is known.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { takeSnapshot } from "../../../src/policy/snapshot.ts";
import { Story } from "../../helpers/story.ts";

/** The last line of the log about the end of worker 0, which a test brings about. */
function wordsOf(end: (story: Story, life: number) => void, story = new Story({ hasAgent: false }).boot()): string {
  end(story, story.worker(0));
  const line = story.all("log").findLast(({ fields }) => fields.outcome !== undefined);
  return `${line?.fields.outcome}: ${line?.message}`;
}

const UNKNOWN_ABORT = /^crash: worker 0 was ended by SIGABRT: V8 or Node aborts .* stderr says which it was$/;

describe("the end of a worker", () => {
  it("by the kernel names the memory and the remedy", () => {
    assert.match(
      wordsOf((story, life) => story.exit(life, "SIGKILL", true)),
      /^oom: worker 0 was killed by the kernel: the container is out of memory \(OOM\); raise its memory limit/,
    );
  });

  it("by abort() with a full heap names the heap, and else what it may have been", () => {
    const abort = (share: number) =>
      wordsOf((story, life) => {
        story.beat(life, { heapLimitBytes: 100 * 2 ** 20, heapUsedBytes: share * 100 * 2 ** 20 });
        story.exit(life, "SIGABRT");
      });
    assert.match(abort(0.6), /^crash: worker 0 was ended by SIGABRT: V8 aborts a process whose heap is full, and it held 60 of 100 MiB/);
    assert.match(abort(0.4), UNKNOWN_ABORT);
    assert.match(
      wordsOf((story, life) => story.exit(life, "SIGABRT")),
      UNKNOWN_ABORT,
    );
  });

  it("that never began is none", () => {
    const story = new Story({ hasAgent: false }).boot();
    story.exit(story.worker(0), 1);
    assert.equal(
      wordsOf((_, life) => story.exit(life, null), story),
      "boot_failure: worker 0 could not be started",
    );
  });

  it("by exit 110 names the channel", () => {
    assert.match(
      wordsOf((story, life) => story.exit(life, 110)),
      /^crash: worker 0 exited with code 110: it lost its channel/,
    );
  });

  it("for its silence is an outcome of its own", () => {
    const words = wordsOf((story, life) => {
      story.silent.add(life);
      story.pass(31_000);
    });
    assert.equal(words, "unresponsive: worker 0 was killed, for it did not answer (was ended by SIGKILL)");
  });

  it("before it was ready says so, with the error that it reported", () => {
    const story = new Story({ hasAgent: false }).boot();
    story.exit(story.worker(0), 1);
    const words = wordsOf((_, life) => {
      story.fault(life);
      story.exit(life, 1);
    }, story);
    assert.equal(words, "boot_failure: worker 0 failed to boot: it exited with code 1 before it was ready (Error: it broke)");
  });
});

describe("the last exit of a slot in the status", () => {
  const lastExitOf = (story: Story) => takeSnapshot(story.state, story.now).workers[0]?.lastExit;

  it("is null before the first, and then says how, who and when", () => {
    const story = new Story({ hasAgent: false }).boot();
    assert.equal(lastExitOf(story), null);
    story.exit(1, "SIGKILL", true);
    story.ready().pass(4_000);
    assert.deepEqual(lastExitOf(story), { outcome: "oom", pid: 10_001, code: null, signal: "SIGKILL", secondsAgo: 4 });
  });

  it("stays through a scale down and up again", () => {
    const story = new Story({ hasAgent: false }).boot();
    story.exit(story.worker(1), 3);
    story.ready().signal("SIGTTOU").finishDrains().signal("SIGTTIN").ready();
    const { workers } = takeSnapshot(story.state, story.now);
    assert.deepEqual([workers[1]?.lastExit?.outcome, workers[1]?.lastExit?.code], ["clean", 0]);
  });
});
