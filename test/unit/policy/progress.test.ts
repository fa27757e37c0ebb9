// What happened between two states, in the order in which a person would tell it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ChildStep, stepsBetween } from "../../../src/policy/progress.ts";
import { Story } from "../../helpers/story.ts";

/** All steps of what `act` does, as words. */
function watch(story: Story, act: () => void): readonly string[] {
  const before = story.state;
  act();
  return stepsBetween(before, story.state).map(say);
}

function say({ role, slot, generation, happened }: ChildStep): string {
  const who = role === "agent" ? "agent" : String(slot);
  const cause = "cause" in happened ? ` ${happened.cause}` : "";
  const stays = "stays" in happened && happened.stays !== null ? `, #${happened.stays.generation} stays` : "";
  return `${who}#${generation} ${happened.type}${cause}${"trial" in happened && happened.trial ? " on trial" : ""}${stays}`;
}

function successorOf(story: Story, slot: number): number {
  return story.slot(slot).lives.at(-1)?.id ?? 0;
}

describe("the steps between two states", () => {
  it("tell a reload: the successor, then the one that it replaces", () => {
    const story = new Story().boot();
    assert.deepEqual(
      watch(story, () => story.signal("SIGHUP")),
      ["0#2 started"],
    );
    const steps = watch(story, () => story.ready());
    assert.deepEqual(steps, ["0#2 readied", "0#1 draining reload"]);
    assert.deepEqual(
      watch(story, () => story.finishDrains()),
      ["0#1 ended reload", "1#2 started"],
    );
  });

  it("name the predecessor, and how long the boot took", () => {
    const story = new Story().boot().signal("SIGHUP").pass(200);
    const before = story.state;
    story.ready();
    const [readied] = stepsBetween(before, story.state);
    assert.deepEqual(readied?.happened, { type: "readied", bootMs: 200, replaces: { pid: 10_002, generation: 1 }, trial: false });
  });

  it("tell a trial that ends in a crash from a slot that changes hands", () => {
    const story = new Story({ settleMs: 3_000 }).boot().signal("SIGHUP");
    const id = successorOf(story, 0);
    assert.deepEqual(
      watch(story, () => story.ready()),
      ["0#2 readied on trial"],
    );
    assert.deepEqual(
      watch(story, () => story.fault(id)),
      ["0#2 draining crash, #1 stays"],
    );
    assert.deepEqual(
      watch(story, () => story.exit(id)),
      ["0#2 ended crash, #1 stays"],
    );
  });

  it("tell that a trial is passed by the old one that leaves", () => {
    const story = new Story({ settleMs: 3_000 }).boot().signal("SIGHUP").ready();
    assert.deepEqual(
      watch(story, () => story.pass(3_000)),
      ["0#1 draining reload"],
    );
  });

  it("name who stays when a successor never gets ready", () => {
    const story = new Story({ bootTimeoutMs: 1_000 }, { killMs: null }).boot().signal("SIGHUP");
    const id = successorOf(story, 0);
    assert.deepEqual(
      watch(story, () => story.pass(1_000)),
      ["0#2 killing boot-timeout, #1 stays"],
    );
    assert.deepEqual(
      watch(story, () => story.exit(id, "SIGKILL")),
      ["0#2 ended boot-timeout, #1 stays"],
    );
  });

  it("tell a trial that another slot's failure takes back", () => {
    const story = new Story({ settleMs: 3_000 }).boot().signal("SIGHUP").ready();
    // The slot starts anew as it is now: in the new generation.
    story.exit(story.worker(1));
    assert.deepEqual(
      watch(story, () => story.exit(successorOf(story, 1))),
      ["1#2 ended null", "0#2 draining taken-back, #1 stays"],
    );
  });

  it("tell a crash, a child that is killed, and the agent", () => {
    const story = new Story().boot();
    assert.deepEqual(
      watch(story, () => story.exit(story.worker(1))),
      ["1#1 ended null", "1#1 started"],
    );
    story.ready();
    assert.deepEqual(
      watch(story, () => story.fault(story.worker(0))),
      ["0#1 started", "0#1 draining crash"],
    );
    assert.deepEqual(
      watch(story, () => story.exit(story.agent)),
      ["agent#1 ended null", "agent#1 started"],
    );
  });

  it("are none where nothing has changed", () => {
    const story = new Story().boot();
    assert.deepEqual(
      watch(story, () => story.pass(5_000)),
      [],
    );
  });
});
