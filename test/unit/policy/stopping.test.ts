// The stop: one budget, workers before the agent, a second signal that hurries.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StopSignal } from "../../../src/policy/events.ts";
import type { Settings } from "../../../src/policy/state.ts";
import { Story } from "../../helpers/story.ts";

const STUCK = { killMs: 10 } as const;

function stopping(settings: Partial<Settings> = {}, signal: StopSignal = "SIGTERM"): Story {
  return new Story(settings, STUCK).boot().signal(signal);
}

describe("a graceful stop", () => {
  it("drains the workers in parallel, then the agent, then exits with 0", () => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
      const story = stopping({}, signal);
      assert.equal(story.picture, "agent ready, 0 draining, 1 draining");
      story.exit(2, 0);
      assert.equal(story.picture, "agent ready, 0 empty, 1 draining");
      story.exit(3, 143);
      assert.equal(story.picture, "agent draining, 0 empty, 1 empty");
      assert.equal(story.exitCode, null);
      story.exit(1, 0);
      assert.equal(story.exitCode, 0);
    }
  });

  it("works without an agent", () => {
    const story = stopping({ hasAgent: false }).finishDrains();
    assert.equal(story.exitCode, 0);
  });

  it("tells the workers a budget that leaves time for the agent, the kernel and the last log line", () => {
    const budgets = stopping().all("drain");
    // 9000, less 450 for the exit and 900 for the agent; less 500, the time to end before it is killed.
    assert.deepEqual(
      budgets,
      [2, 3].map((life) => ({ type: "drain", life, budgetMs: 7_150, idleMs: 3_575, isLast: true })),
    );
  });

  it("leaves a thread that cannot be ended by the end of the budget: it goes with the master", () => {
    const story = new Story({ workerCount: 1 }, { killMs: null }).boot();
    story.feed({ type: "forked", life: 1, pid: 1, thread: 3 });
    story.silent.add(1);
    const begun = story.now;
    story.signal("SIGTERM").finishDrains();
    assert.equal(story.all("kill").length, 0);
    story.pass(9_000);
    assert.equal(story.all("kill").length, 1);
    assert.equal(story.exitCode, 8);
    assert.ok(story.now - begun <= 9_000);
  });

  it("tells the agent what is left", () => {
    const story = stopping().pass(7_000).finishDrains();
    const order = story.all("drain").at(-1);
    assert.equal(order?.life, 1);
    assert.equal(Math.round(order?.budgetMs ?? 0), 1_395);
  });

  it("kills workers at their deadline and the agent at its own, and ends within the budget with 8", () => {
    const story = stopping();
    const begun = story.now;
    story.pass(7_649);
    assert.equal(story.all("kill").length, 0);
    story.pass(1);
    assert.deepEqual(
      story.all("kill").map(({ life }) => life),
      [2, 3],
    );
    story.pass(10);
    assert.equal(story.picture, "agent draining, 0 empty, 1 empty");
    let endedAt = 0;
    story.watch = () => {
      endedAt = story.now;
    };
    story.pass(5_000);
    assert.equal(story.exitCode, 8);
    assert.ok(endedAt - begun <= 9_000, String(endedAt - begun));
  });

  it("ends within the budget for the shortest and the longest budgets", () => {
    for (const stopTimeoutMs of [500, 1_000, 25_000, 600_000]) {
      const story = stopping({ stopTimeoutMs });
      story.pass(stopTimeoutMs);
      assert.equal(story.exitCode, 8, `stop-timeout ${stopTimeoutMs}`);
    }
  });

  it("ends with 8 when only one of many had to be killed", () => {
    const story = stopping();
    story.exit(2, 0);
    story.pass(8_000);
    story.exit(1, 0);
    assert.equal(story.exitCode, 8);
  });

  it("ends with 0 when a worker exits badly but by itself", () => {
    const story = stopping();
    story.exit(2, 1);
    story.exit(3, "SIGSEGV");
    story.exit(1, 0);
    assert.equal(story.exitCode, 0);
  });

  it("replaces nobody who crashes meanwhile", () => {
    const story = new Story({ drainDelayMs: 3_000 }).boot().signal("SIGTERM");
    const forks = story.forks.length;
    story.exit(story.worker(0), 1);
    story.fault(story.worker(1));
    story.exit(story.agent, "SIGKILL");
    story.pass(3_000);
    assert.equal(story.forks.length, forks);
    story.finishDrains();
    assert.equal(story.exitCode, 0);
  });

  it("keeps a faulted worker within the stop's budget", () => {
    const story = new Story({ drainDelayMs: 3_000 }, STUCK).boot().signal("SIGTERM").pass(2_900);
    story.fault(story.worker(0));
    story.pass(6_100);
    assert.equal(story.exitCode, 8);
  });

  it("keeps accepting for the drain delay, within the same budget", () => {
    const story = stopping({ drainDelayMs: 3_000 }).pass(2_999);
    assert.equal(story.picture, "agent ready, 0 ready, 1 ready");
    story.pass(1);
    assert.equal(story.picture, "agent ready, 0 draining, 1 draining");
    assert.equal(Math.round(story.all("drain")[0]?.budgetMs ?? 0), 4_185);
    story.pass(6_000);
    assert.equal(story.exitCode, 8);
  });

  it("skips the drain delay where nobody serves", () => {
    const story = new Story({ drainDelayMs: 3_000 }).start().ready().signal("SIGTERM");
    assert.equal(story.picture, "agent ready, 0 draining, 1 draining");
  });

  it("drains children that are still starting, with exit 0: TERM while booting is asked for", () => {
    const agentOnly = new Story().start().signal("SIGTERM").finishDrains();
    assert.equal(agentOnly.exitCode, 0);
    const booting = new Story().start().ready().ready(2).signal("SIGTERM");
    booting.exit(3, "SIGTERM");
    booting.exit(2, 0);
    booting.exit(1, 0);
    assert.equal(booting.exitCode, 0);
  });

  it("ends at once when nothing runs", () => {
    const story = new Story({ workerCount: 1, hasAgent: false }).boot();
    for (let round = 0; round < 2; round++) story.exit(story.worker(0), 1);
    assert.equal(story.picture, "0 empty");
    story.signal("SIGTERM");
    assert.equal(story.exitCode, 0);
  });

  it("does not forget children that were being killed before", () => {
    const story = new Story({ workerCount: 1, hasAgent: false }, { killMs: null }).boot();
    story.silent.add(2).add(1);
    story.pass(30_100).signal("SIGTERM").finishDrains();
    assert.equal(story.picture, "0 killing");
    story.exit(1, "SIGKILL");
    assert.equal(story.exitCode, 0, "that kill was not the stop's");
  });

  it("ignores reload and scale", () => {
    const story = stopping().signal("SIGHUP").signal("SIGTTIN").signal("SIGTTOU");
    assert.deepEqual([story.state.workersTarget, story.state.generation, story.forks.length], [2, 1, 3]);
  });

  it("ends a reload in the middle, both lives of the slot with it", () => {
    const story = new Story({}, STUCK).boot().signal("SIGHUP").signal("SIGTERM");
    assert.equal(story.picture, "agent ready, 0 draining+draining#2, 1 draining");
    story.finishDrains().finishDrains();
    assert.equal(story.exitCode, 0);
  });
});

describe("a second signal", () => {
  it("is an echo of the first within 500 ms", () => {
    const story = stopping({}, "SIGINT").signal("SIGINT").pass(499).signal("SIGINT").signal("SIGTERM");
    assert.equal(story.state.stop?.fastSignal, null);
    story.finishDrains().finishDrains();
    assert.equal(story.exitCode, 0);
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGQUIT", 131],
    ["SIGTERM", 143],
  ] as const) {
    it(`makes the stop fast at 500 ms: ${signal} ends with ${code} within 2 s`, () => {
      const story = stopping().pass(500).signal(signal);
      assert.equal(story.picture, "agent draining, 0 draining, 1 draining");
      story.pass(1_999);
      assert.equal(story.all("kill").length, 0);
      story.pass(12);
      assert.equal(story.all("kill").length, 3);
      assert.equal(story.exitCode, code);
    });
  }

  it("keeps its code when everybody ends in time", () => {
    const story = stopping().pass(600).signal("SIGINT").finishDrains();
    assert.equal(story.exitCode, 130);
    assert.equal(story.all("kill").length, 0);
  });

  it("ends the drain delay", () => {
    const story = stopping({ drainDelayMs: 5_000 }).pass(1_000).signal("SIGTERM");
    assert.equal(story.picture, "agent draining, 0 draining, 1 draining");
  });

  it("never makes the budget longer", () => {
    const story = stopping().pass(8_000).signal("SIGTERM").pass(1_000);
    assert.equal(story.exitCode, 143);
  });

  it("is followed by any number of others without effect: the second names the exit", () => {
    const story = stopping().pass(600).signal("SIGINT").pass(600).signal("SIGTERM").pass(600).signal("SIGQUIT").finishDrains();
    assert.equal(story.exitCode, 130);
  });

  it("is counted like every other", () => {
    const story = stopping().signal("SIGTERM").signal("SIGHUP");
    assert.deepEqual(
      story.tallies("signals").map(({ signal }) => signal),
      ["SIGTERM", "SIGTERM", "SIGHUP"],
    );
  });
});

describe("other signals", () => {
  it("print the status on USR2 and change nothing", () => {
    const story = new Story().boot();
    const { picture } = story;
    story.signal("SIGUSR2");
    assert.equal(story.all("print-status").length, 1);
    assert.equal(story.picture, picture);
  });
});

it("does not wait for ever for a process that the kernel cannot end", () => {
  const story = new Story({ workerCount: 1, hasAgent: false, stopTimeoutMs: 9_000 }, { killMs: null }).boot().signal("SIGTERM");
  story.pass(10_900);
  assert.equal(story.exitCode, null);
  story.pass(200);
  assert.equal(story.exitCode, 8);
});
