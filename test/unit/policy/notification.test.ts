// What a service manager is told, from states alone: each change once, in its words.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isWatched, NOTHING_TOLD, notify, type Told } from "../../../src/policy/notification.ts";
import { Story } from "../../helpers/story.ts";

/** Follows a story; gives the lines that are new since the last look. */
function follow(story: Story): () => readonly string[] {
  let told: Told = NOTHING_TOLD;
  return () => {
    const lines: string[] = [];
    for (;;) {
      const { told: next, text } = notify(told, story.state, story.now, 42n);
      told = next;
      if (text === null) return lines;
      lines.push(...text.split("\n"));
    }
  };
}

/** A boot timeout of 60 s and a stop timeout of 9 s. */
const PATIENCE = "EXTEND_TIMEOUT_USEC=69000000";

describe("notifications", () => {
  it("tell of readiness once, of a reload and its end, and of the stop", () => {
    const story = new Story({ hasAgent: false, workerCount: 1 }).start();
    const look = follow(story);
    assert.deepEqual(look(), ["STATUS=starting: 0 of 1 workers ready, generation 0", PATIENCE]);
    story.ready();
    assert.deepEqual(look(), ["READY=1", "STATUS=running: 1 of 1 workers ready, generation 1"]);
    assert.deepEqual(look(), []);
    story.signal("SIGHUP");
    assert.deepEqual(look(), ["RELOADING=1", "MONOTONIC_USEC=42", "STATUS=reloading: 1 of 1 workers ready, generation 1", PATIENCE]);
    story.exit(2, 1);
    const failed = look();
    assert.equal(failed[0], "READY=1");
    assert.match(failed[1] ?? "", /^STATUS=running: 1 of 1 workers ready, generation 1; the last reload failed: /);
    story.signal("SIGTERM");
    assert.equal(look()[0], "STOPPING=1");
    assert.deepEqual(
      look().filter((line) => !line.startsWith("STATUS=")),
      [],
    );
  });

  it("tell of a reload that follows another without a pause, and of one that was asked for during the start, after that", () => {
    const story = new Story({ hasAgent: false, workerCount: 1 }).start().signal("SIGHUP");
    const look = follow(story);
    look();
    const words = (): readonly string[] => look().filter((line) => /^(READY|RELOADING)=/.test(line));
    story.ready();
    assert.deepEqual(words(), ["READY=1", "RELOADING=1"]);
    story.signal("SIGHUP").ready();
    story.finishDrains();
    assert.deepEqual(words(), ["RELOADING=1"]);
    story.ready().finishDrains();
    assert.deepEqual(words(), ["READY=1"]);
  });

  it("say nothing of readiness that is lost, but for the status; and the watchdog is fed until liveness fails", () => {
    const story = new Story({ hasAgent: false, workerCount: 1, onException: "report", rollCallPeriodMs: 10_000 }).boot();
    const look = follow(story);
    look();
    story.exit(1, 1);
    assert.deepEqual(look(), ["STATUS=running: 0 of 1 workers ready, generation 1"]);
    assert.equal(isWatched(story.state), true);
    story.pass(40_000);
    assert.equal(isWatched(story.state), false);
  });
});
