// When an order is refused, done, or has failed, as whoever gave it is told.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Order } from "../../../src/policy/events.ts";
import { judge, type Pursuit, pursue, refusal } from "../../../src/policy/pursuit.ts";
import type { State } from "../../../src/policy/state.ts";
import { Story } from "../../helpers/story.ts";

/** Gives an order and follows it: `verdict()` judges what has come since the last time. */
function give(story: Story, order: Order) {
  let last: State = story.state;
  const pursuit: Pursuit = pursue(order, story.state);
  story.feed({ type: "ordered", order });
  const verdict = (): string => {
    const judged = judge(pursuit, last, story.state);
    last = story.state;
    return judged.type === "failed" ? `failed: ${judged.why}` : judged.type;
  };
  return { pursuit, verdict };
}

const RELOAD: Order = { kind: "reload", agent: false };

describe("a restart of a worker whose successor a reload has just started", () => {
  it("fails when that is taken back, with the reload", () => {
    const story = new Story({ surge: 2 }).boot();
    give(story, RELOAD);
    const { verdict } = give(story, { kind: "restart", role: "worker", slot: 1 });
    assert.equal(verdict(), "pending");
    story.exit(4, 1);
    assert.equal(verdict(), "failed: the new process failed; the service goes on trying");
  });
});

describe("a reload", () => {
  it("is done when every slot runs the new generation and the old ones have gone", () => {
    const story = new Story().boot();
    const { verdict } = give(story, RELOAD);
    assert.equal(verdict(), "pending");
    story.ready().finishDrains().ready();
    assert.equal(story.picture, "agent ready, 0 ready#2, 1 draining+ready#2");
    assert.equal(verdict(), "pending");
    story.finishDrains();
    assert.equal(verdict(), "done");
  });

  it("fails with the outcome's reason when the new generation does", () => {
    const story = new Story().boot();
    const { verdict } = give(story, RELOAD);
    story.exit(4);
    assert.equal(verdict(), "failed: worker 0 of generation 2 failed");
  });

  it("that is queued waits for its own, whatever becomes of the one before it", () => {
    const story = new Story().boot();
    const first = give(story, RELOAD);
    const second = give(story, RELOAD);
    const third = give(story, RELOAD);
    assert.ok(second.pursuit.kind === "reload" && second.pursuit.queued && second.pursuit.generation === 3);
    story.exit(4);
    assert.deepEqual(
      [first.verdict(), second.verdict(), third.verdict()],
      ["failed: worker 0 of generation 2 failed", "pending", "pending"],
    );
    story.behave({ bootMs: 100, drainMs: 100, killMs: 0 }).pass(2_000);
    assert.deepEqual([second.verdict(), third.verdict()], ["done", "done"]);
  });

  it("fails when the service stops", () => {
    const story = new Story().boot();
    const { verdict } = give(story, RELOAD);
    story.signal("SIGTERM");
    assert.equal(verdict(), "failed: the service is stopping");
  });

  it("is refused while the service starts or stops, and for an agent that there is not", () => {
    assert.equal(refusal({ kind: "restart", role: "worker", slot: 0 }, new Story().start().state), "the service is still starting");
    assert.equal(refusal(RELOAD, new Story().start().state), null, "it waits for the end of the start");
    assert.equal(refusal(RELOAD, new Story().boot().signal("SIGTERM").state), "the service is stopping");
    assert.equal(refusal({ kind: "reload", agent: true }, new Story({ hasAgent: false }).boot().state), "the service has no agent");
    assert.equal(refusal(RELOAD, new Story().boot().state), null);
  });
});

describe("a change of size", () => {
  it("is done when the new workers are ready", () => {
    const story = new Story().boot();
    const { verdict } = give(story, { kind: "scale", workers: 3 });
    assert.equal(verdict(), "pending");
    story.ready();
    assert.equal(verdict(), "done");
  });

  it("is done when the superfluous have gone", () => {
    const story = new Story().boot();
    const { verdict } = give(story, { kind: "scale", workers: 1 });
    assert.equal(verdict(), "pending");
    story.finishDrains();
    assert.equal(verdict(), "done");
  });

  it("fails when a new worker does, and waits for an old one that crashes meanwhile", () => {
    const story = new Story().boot();
    const { verdict } = give(story, { kind: "scale", workers: 3 });
    story.exit(story.worker(0));
    assert.equal(verdict(), "pending");
    story.exit(4);
    assert.equal(verdict(), "failed: worker 2 failed to start; the service goes on trying");
  });

  it("fails when the number is changed again", () => {
    const story = new Story().boot();
    const { verdict } = give(story, { kind: "scale", workers: 3 });
    story.feed({ type: "ordered", order: { kind: "scale", workers: 1 } });
    assert.equal(verdict(), "failed: the number of workers was changed again, to 1");
  });

  it("is refused under one worker, and over 1,024", () => {
    const refused = (workers: number): string | null => refusal({ kind: "scale", workers }, new Story().boot().state);
    assert.equal(refused(0), "at least one worker stays");
    assert.equal(refused(1_024), null);
    assert.equal(refused(1_025), "there can be 1024 workers at most");
  });
});

describe("a restart", () => {
  const order: Order = { kind: "restart", role: "worker", slot: 0 };
  /** The state as it will be: a successor beside the old worker, by way of a crash. */
  const replaced = (): { readonly story: Story; readonly pursuit: Pursuit; readonly before: State } => {
    const story = new Story().boot();
    const before = story.state;
    story.fault(story.worker(0));
    return { story, pursuit: pursue(order, before), before };
  };

  it("is done when the new process is ready and the old one gone", () => {
    const { story, pursuit, before } = replaced();
    assert.equal(judge(pursuit, before, story.state).type, "pending");
    story.ready();
    assert.equal(judge(pursuit, before, story.state).type, "pending");
    story.exit(2);
    assert.equal(judge(pursuit, before, story.state).type, "done");
  });

  it("fails when the new process ends before it is ready", () => {
    const { story, pursuit } = replaced();
    const last = story.state;
    story.exit(4);
    assert.deepEqual(judge(pursuit, last, story.state), { type: "failed", why: "the new process failed; the service goes on trying" });
  });

  it("takes a successor that is already starting for the new process", () => {
    const { story } = replaced();
    const { verdict } = give(story, order);
    story.ready();
    story.exit(2);
    assert.equal(verdict(), "done");
  });

  it("is refused for a slot or an agent that there is not", () => {
    const story = new Story({ hasAgent: false }).boot();
    assert.equal(refusal({ ...order, slot: 2 }, story.state), "there is no worker 2; expected one from 0 to 1");
    assert.equal(refusal({ ...order, role: "agent" }, story.state), "the service has no agent");
    assert.equal(refusal(order, story.state), null);
  });
});

describe("the other orders", () => {
  it("are done at once: drain and undrain", () => {
    const story = new Story().boot();
    assert.equal(give(story, { kind: "maintain", on: true }).verdict(), "done");
    assert.equal(story.state.maintenance, true);
    assert.equal(give(story, { kind: "maintain", on: false }).verdict(), "done");
  });

  it("are never done in any state, and never refused: stop", () => {
    const story = new Story().boot();
    const { verdict } = give(story, { kind: "stop", fast: false });
    story.finishDrains().finishDrains();
    assert.deepEqual([verdict(), story.exitCode], ["pending", 0]);
    assert.equal(refusal({ kind: "stop", fast: true }, story.state), null);
  });
});
