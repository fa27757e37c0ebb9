// Why the service stops: the first cause wins, and names the exit.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Story } from "../../helpers/story.ts";

describe("the first cause", () => {
  it("wins over a later TERM, a second one, and a kill", () => {
    const story = new Story({}, { killMs: 10 }).start().ready().ready(2);
    story.exit(3, 1);
    story.signal("SIGTERM").pass(600).signal("SIGTERM").pass(9_000);
    assert.equal(story.exitCode, 3);
  });

  it("wins over what fails in an asked-for stop", () => {
    const story = new Story().boot().signal("SIGTERM");
    story.feed({ type: "failed", reason: "internal" });
    story.exit(story.agent, 1);
    story.finishDrains();
    assert.equal(story.exitCode, 0);
  });

  it("is an internal error: exit 1 through an orderly stop", () => {
    const story = new Story().boot();
    story.feed({ type: "failed", reason: "internal" });
    assert.equal(story.picture, "agent ready, 0 draining, 1 draining");
    story.feed({ type: "failed", reason: "port-conflict" });
    story.finishDrains().finishDrains();
    assert.equal(story.exitCode, 1);
  });

  it("needs no drain delay: nobody is sent away for maintenance", () => {
    const story = new Story({ drainDelayMs: 5_000 }).boot();
    story.feed({ type: "failed", reason: "internal" });
    assert.equal(story.picture, "agent ready, 0 draining, 1 draining");
  });
});
