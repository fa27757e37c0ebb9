// What the outside sees of the state: /status, SIGUSR2 and the gauges.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { countProcesses, takeSnapshot } from "../../../src/policy/snapshot.ts";
import { SAMPLE, Story } from "../../helpers/story.ts";

function look(story: Story) {
  return takeSnapshot(story.state, story.now);
}

describe("the snapshot", () => {
  it("tells of a service that starts, runs, reloads and stops", () => {
    const story = new Story().start();
    assert.deepEqual([look(story).state, look(story).ready, look(story).rollCall.nextInSeconds], ["starting", false, null]);
    story.ready().ready().pass(4_000);
    const { state, ready, live, workersReady, workersTarget, rollCall } = look(story);
    assert.deepEqual(
      { state, ready, live, workersReady, workersTarget },
      {
        state: "running",
        ready: true,
        live: true,
        workersReady: 2,
        workersTarget: 2,
      },
    );
    assert.deepEqual(rollCall, { strikes: 0, failureThreshold: 3, nextInSeconds: 6 });
    story.signal("SIGHUP");
    assert.deepEqual([look(story).state, look(story).reloading, look(story).generation], ["reloading", true, 1]);
    story.signal("SIGTERM");
    assert.deepEqual([look(story).state, look(story).ready, look(story).live], ["stopping", false, true]);
  });

  it("counts a generation when a worker is ready in it, and not one that never was", () => {
    const story = new Story().start();
    assert.equal(look(story).generation, 0);
    story.boot().signal("SIGHUP");
    assert.equal(look(story).generation, 1);
    story.exit(4, 1);
    assert.equal(look(story).generation, 1);
    story.signal("SIGHUP").ready();
    assert.equal(look(story).generation, 3);
  });

  it("says why a process was started, and that it is to be replaced", () => {
    const limits = { residentBytes: null, heapBytes: null, requests: 100, lifetimeMs: null };
    const story = new Story({ limits, hasAgent: false }).boot().beat(1, { requests: 100 });
    const [slot] = look(story).workers;
    assert.deepEqual(
      slot?.processes.map(({ state, reason, renewal }) => [state, reason, renewal]),
      [
        ["ready", "boot", "recycle_requests"],
        ["starting", "recycle_requests", null],
      ],
    );
  });

  it("shows a slot by its serving life, and all of its processes", () => {
    const story = new Story().boot().signal("SIGHUP");
    const [slot] = look(story).workers;
    assert.equal(slot?.state, "ready");
    assert.deepEqual(
      slot?.processes.map(({ state, pid, generation }) => `${state} ${pid} ${generation}`),
      ["ready 10002 1", "starting 10004 2"],
    );
  });

  it("shows a slot that rests as in backoff, with the time left, and its failures", () => {
    const story = new Story().boot();
    for (let times = 0; times < 3; times++) {
      story.pass(600).ready();
      story.exit(story.worker(0), 1);
    }
    story.pass(400);
    const [slot] = look(story).workers;
    assert.deepEqual([slot?.state, slot?.backoffSeconds, slot?.failures, slot?.restarts], ["backoff", 0.6, 3, 2]);
    assert.deepEqual(slot?.processes, []);
    assert.deepEqual(countProcesses(story.state, "worker"), { starting: 0, ready: 1, draining: 0, killing: 0, backoff: 1 });
  });

  it("forgets the failures once a life has lasted", () => {
    const story = new Story().boot();
    story.exit(story.worker(0), 1);
    story.ready().pass(30_000);
    assert.equal(look(story).workers[0]?.failures, 0);
    assert.equal(look(story).workers[0]?.restarts, 1);
  });

  it("keeps the counters of lives that have ended", () => {
    const story = new Story().boot();
    for (let times = 0; times < 3; times++) {
      story.feed({ type: "beat", life: story.worker(0), sample: { ...SAMPLE, requests: 100, cpuSeconds: 2 } });
      story.exit(story.worker(0), "SIGKILL");
      story.pass(2_000).ready();
    }
    assert.equal(look(story).workers[0]?.requests, 300);
    assert.equal(look(story).workers[0]?.cpuSeconds, 6);
  });

  it("says the same sum in whatever order lives end: a counter that is less by a last bit would be taken for a reset", () => {
    const story = new Story().boot();
    story.feed({ type: "beat", life: story.worker(0), sample: { ...SAMPLE, cpuSeconds: 0.1 } });
    story.exit(story.worker(0), "SIGKILL");
    story.pass(2_000).ready();
    story.feed({ type: "beat", life: story.worker(0), sample: { ...SAMPLE, cpuSeconds: 0.2 } });
    assert.equal(look(story).workers[0]?.cpuSeconds, 0.3);
  });

  it("tells ages, and nothing that a process has not said yet", () => {
    const story = new Story().start().pass(2_500);
    const [life] = look(story).agent?.processes ?? [];
    assert.deepEqual(
      [life?.uptimeSeconds, life?.heartbeatAgeSeconds, life?.residentBytes, life?.eventLoopLagSeconds],
      [2.5, null, null, null],
    );
    story.ready();
    story.silent.add(1);
    story.pass(1_500);
    assert.equal(look(story).agent?.processes[0]?.heartbeatAgeSeconds, 1.5);
  });

  it("has no agent where there is none", () => {
    const story = new Story({ hasAgent: false }).boot();
    assert.equal(look(story).agent, null);
    assert.deepEqual(countProcesses(story.state, "agent"), { starting: 0, ready: 0, draining: 0, killing: 0, backoff: 0 });
  });

  it("says so when it is a crash loop", () => {
    const story = new Story({ maxRestarts: 1, workerCount: 1 }).boot();
    story.exit(story.worker(0), 1);
    assert.ok(look(story).crashLoop);
  });

  it("is plain JSON", () => {
    const snapshot = look(new Story().boot().pass(5_000));
    assert.deepEqual(JSON.parse(JSON.stringify(snapshot)), snapshot);
  });
});
