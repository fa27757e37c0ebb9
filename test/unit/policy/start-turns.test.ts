// The start: no more new workers at a time than there are processors, so that the first one does not come as late as the last.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasStarted } from "../../../src/policy/select.ts";
import { countProcesses, takeSnapshot } from "../../../src/policy/snapshot.ts";
import { Story } from "../../helpers/story.ts";

const story = (workerCount: number, cpus: number): Story => new Story({ workerCount, cpus, hasAgent: false });
const slots = (of: Story): readonly number[] => of.forks.map(({ slot }) => slot);

describe("the start", () => {
  it("forks as many workers at once as there are processors, and the next one when one is ready", () => {
    const of = story(4, 2).start();
    assert.equal(of.picture, "0 starting, 1 starting, 2 empty, 3 empty");
    of.ready(of.worker(1));
    assert.equal(of.picture, "0 starting, 1 ready, 2 starting, 3 empty");
    of.ready(of.worker(0));
    assert.equal(of.picture, "0 ready, 1 ready, 2 starting, 3 starting");
  });

  it("waits no longer than Node takes to come up: an app that waits for something else keeps no worker back", () => {
    const of = story(5, 2).start();
    of.pass(99);
    assert.deepEqual(slots(of), [0, 1]);
    of.pass(1);
    assert.deepEqual(slots(of), [0, 1, 2, 3]);
    of.pass(100);
    assert.deepEqual(slots(of), [0, 1, 2, 3, 4]);
    assert.equal(of.state.phase, "booting-workers");
    of.ready();
    assert.equal(of.state.phase, "running");
  });

  it("forks all at once where there are processors enough", () => {
    assert.deepEqual(slots(story(4, 4).start()), [0, 1, 2, 3]);
  });

  it("forks nobody any more once one has failed", () => {
    const of = story(4, 2).start();
    of.exit(of.worker(0), 1);
    of.pass(1_000);
    assert.deepEqual(slots(of), [0, 1]);
  });

  it("is told from its end: one worker is ready and none is to be forked, or it has come to nothing", () => {
    const of = story(3, 2).start();
    assert.equal(hasStarted(of.state), false);
    of.ready(of.worker(0));
    assert.deepEqual(slots(of), [0, 1, 2]);
    assert.equal(hasStarted(of.state), true);
    const waiting = story(3, 1).start();
    waiting.ready(waiting.worker(0));
    assert.equal(hasStarted(waiting.state), false, "one is still to be forked");
    const failed = story(3, 1).start();
    failed.exit(failed.worker(0), 1);
    assert.equal(hasStarted(failed.state), true);
  });

  it("shows those that wait for their turn as starting, and those that rest as in backoff", () => {
    const of = story(3, 1).start();
    assert.deepEqual(
      takeSnapshot(of.state, of.now).workers.map(({ state }) => state),
      ["starting", "starting", "starting"],
    );
    assert.equal(countProcesses(of.state, "worker").starting, 3);
    of.ready().ready().ready();
    for (let deaths = 0; deaths < 2; deaths++) of.exit(of.worker(0), "SIGKILL");
    assert.equal(takeSnapshot(of.state, of.now).workers[0]?.state, "backoff");
  });

  it("leaves a crash and a scaling up to their own times", () => {
    const of = story(2, 1).boot();
    of.exit(of.worker(0), "SIGKILL");
    of.exit(of.worker(1), "SIGKILL");
    assert.equal(of.picture, "0 starting, 1 starting");
  });
});
