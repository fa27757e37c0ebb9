// One life: what an end is called, and facts that come late, in a state where they mean nothing.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Event } from "../../../src/policy/events.ts";
import type { Draining, Killing, Life, Ready, Starting } from "../../../src/policy/life.ts";
import { NO_LIMITS } from "../../../src/policy/limits.ts";
import { classifyExit } from "../../../src/policy/restart.ts";
import type { State } from "../../../src/policy/state.ts";
import { FAULT, SAMPLE, Story } from "../../helpers/story.ts";

/** Every fact that a child can cause, about one life. */
function factsAbout(life: number): readonly Event[] {
  return [
    { type: "forked", life, pid: 77, thread: null },
    { type: "readied", life },
    { type: "beat", life, sample: SAMPLE },
    { type: "faulted", life, fault: FAULT },
    { type: "disconnected", life },
    { type: "closed", life },
    { type: "exited", life, code: 1, signal: null, oom: false },
  ];
}

function withLife(state: Life["state"]): { readonly story: Story; readonly life: number } {
  const story = new Story({ bootTimeoutMs: 20_000 }, { killMs: null }).boot();
  const life = story.worker(0);
  if (state === "draining") story.signal("SIGHUP").ready();
  if (state === "killing") {
    story.silent.add(life);
    story.pass(30_100).feed({ type: "clock" });
  }
  if (state !== "starting") return { story, life };
  story.exit(life, 1);
  return { story, life: story.worker(0) };
}

/** What a fact about a life may not touch: all the rest. */
function withoutLives(state: State): unknown {
  return { ...state, workers: state.workers.map((slot) => ({ ...slot, lives: slot.lives.length })) };
}

describe("late facts", () => {
  it("of readiness that a fault has overtaken are not believed: the start has failed, for the fault's reason", () => {
    const story = new Story({ hasAgent: false, workerCount: 1 }).start();
    story.fault(1, { code: "EADDRINUSE", port: 80 });
    story.feed({ type: "readied", life: 1 });
    story.exit(1, 1);
    assert.equal(story.exitCode, 7);
  });

  it("about a life that never was, or has ended, change nothing", () => {
    for (const state of ["starting", "ready", "draining", "killing"] as const) {
      const { story } = withLife(state);
      story.exit(story.agent, 1);
      story.ready();
      story.feed({ type: "clock" });
      for (const event of [1, 0, -1, 9_999, Number.NaN].flatMap(factsAbout)) {
        const before = story.state;
        assert.deepEqual(story.feed(event), [], event.type);
        assert.deepEqual(story.state, before, event.type);
      }
    }
  });

  const harmless: readonly [state: Life["state"], types: readonly Event["type"][]][] = [
    ["starting", ["closed"]],
    ["ready", ["readied", "closed"]],
    ["draining", ["readied"]],
    ["killing", ["readied", "closed"]],
  ];
  for (const [state, types] of harmless) {
    for (const type of types) {
      it(`${type}: changes nothing for a ${state} life`, () => {
        const { story, life } = withLife(state);
        const before = story.state;
        const event = factsAbout(life).find((each) => each.type === type);
        assert.ok(event !== undefined);
        assert.deepEqual(story.feed(event), []);
        assert.deepEqual(story.state, before);
      });
    }
  }

  for (const state of ["starting", "draining", "killing"] as const) {
    it(`a beat, a pid and a fault of a ${state} life are kept, and decide nothing`, () => {
      const { story, life } = withLife(state);
      const before = withoutLives(story.state);
      const { picture } = story;
      for (const event of factsAbout(life).filter(({ type }) => ["forked", "beat", "faulted"].includes(type))) {
        const effects = story.feed(event);
        assert.ok(
          effects.every((effect) => effect.type === "log"),
          event.type,
        );
      }
      assert.equal(story.picture, picture);
      assert.deepEqual(withoutLives(story.state), before);
      const kept = story.lives().find(({ id }) => id === life);
      assert.deepEqual([kept?.pid, kept?.sample, kept?.fault], [77, SAMPLE, FAULT]);
    });
  }

  it("a second fault of the same life is not a second failure", () => {
    const story = new Story().boot();
    const life = story.worker(0);
    for (let times = 0; times < 5; times++) story.fault(life);
    story.exit(life, 1);
    assert.equal(story.slot(0).failures, 1);
    assert.equal(story.forks.length, 4);
  });

  it("a ready life without a channel is replaced, and may be silent until its drain's deadline; one that is leaving already goes on as it was told", () => {
    const story = new Story({ workerCount: 1, hasAgent: false, heartbeatTimeoutMs: 3_000 }, { drainMs: null }).boot();
    story.silent.add(1);
    story.feed({ type: "disconnected", life: 1 });
    story.ready().pass(8_999);
    assert.equal(story.picture, "0 draining+ready");
    assert.equal(story.all("kill").length, 0);
    story.pass(1);
    assert.equal(story.all("kill").length, 1);
    const leaving = new Story({ workerCount: 1, hasAgent: false }, { drainMs: null }).boot().signal("SIGTERM");
    assert.deepEqual(leaving.feed({ type: "disconnected", life: 1 }), []);
  });

  it("facts after the exit of the service change nothing", () => {
    const story = new Story().boot().signal("SIGTERM").finishDrains().finishDrains();
    assert.equal(story.exitCode, 0);
    const events: readonly Event[] = [...factsAbout(1), { type: "clock" }, { type: "failed", reason: "internal" }];
    for (const event of events) story.feed(event);
    story.signal("SIGHUP").signal("SIGTTIN").signal("SIGTERM");
    assert.equal(story.all("exit").length, 1);
    assert.equal(story.forks.length, 3);
  });

  it("an exit and a deadline at the same moment end one life once", () => {
    const story = new Story({ workerCount: 1 }, { killMs: 0 }).boot();
    story.fault(2);
    story.ready().pass(8_999);
    story.exit(2, 1);
    story.pass(1);
    assert.equal(story.all("kill").length, 0);
    assert.equal(story.picture, "agent ready, 0 ready");
  });
});

describe("two lives of one slot at one moment", () => {
  it("are each judged by what the other has left: a kill is not undone by a suspicion", () => {
    const story = new Story({ workerCount: 1, hasAgent: false, stopTimeoutMs: 9_000, heartbeatTimeoutMs: 18_000 }, { killMs: null }).boot();
    story.signal("SIGHUP").ready();
    story.silent.add(2);
    story.pass(9_000);
    assert.equal(story.picture, "0 killing+ready#2");
    story.pass(5_000);
    assert.equal(story.all("kill").length, 1);
  });
});

describe("an end's name", () => {
  const identity = {
    id: 1,
    pid: 1,
    thread: null,
    generation: 1,
    reason: "boot",
    forkedAt: 0,
    fault: null,
    sample: null,
    ailments: [],
  } as const;
  const common = { ...identity, queues: [], limits: NO_LIMITS } as const;
  const starting: Starting = { ...common, state: "starting", deadlineAt: 1 };
  const ready: Ready = { ...common, state: "ready", readyAt: 0, lastSeenAt: 0, suspected: false, renewal: null, renewalSample: null };
  const draining: Draining = { ...common, state: "draining", readyAt: 0, cause: "stop", drainAt: 0, deadlineAt: 1, accepting: false };
  const killing: Killing = { ...common, state: "killing", readyAt: 0, cause: "unresponsive" };
  const faulted: Draining = { ...draining, fault: { name: "Error", message: "", stack: "", code: null, port: null } };
  const crashed: Draining = { ...draining, cause: "crash" };
  const cases: readonly [life: Life, code: number | null, signal: string | null, outcome: string][] = [
    [starting, 1, null, "boot_failure"],
    [starting, 0, null, "boot_failure"],
    [starting, null, "SIGSEGV", "boot_failure"],
    [ready, 0, null, "crash"],
    [ready, 1, null, "crash"],
    [ready, 143, null, "crash"],
    [ready, null, "SIGKILL", "killed"],
    [draining, 0, null, "clean"],
    [draining, 143, null, "clean"],
    [draining, null, "SIGTERM", "clean"],
    [draining, 1, null, "clean"],
    [faulted, 1, null, "crash"],
    [draining, null, "SIGKILL", "killed"],
    [crashed, 0, null, "crash"],
    [crashed, 1, null, "crash"],
    [crashed, null, "SIGKILL", "killed"],
    [killing, null, "SIGKILL", "unresponsive"],
    [killing, 0, null, "unresponsive"],
    [{ ...killing, cause: "drain-timeout" }, null, "SIGKILL", "killed"],
    [{ ...killing, cause: "fast-stop" }, null, "SIGKILL", "killed"],
    [ready, null, "SIGABRT", "crash"],
    [ready, null, "SIGSEGV", "crash"],
    [ready, null, "SIGTRAP", "crash"],
    [ready, null, "SIGTERM", "killed"],
    [draining, null, "SIGSEGV", "crash"],
    [crashed, null, "SIGABRT", "crash"],
    [{ ...killing, cause: "boot-timeout" }, null, "SIGKILL", "boot_failure"],
  ];
  for (const [life, code, signal, outcome] of cases) {
    const cause = "cause" in life ? ` (${life.cause})` : "";
    it(`is ${outcome} for ${life.state}${cause} with ${signal ?? `code ${code}`}`, () => {
      assert.equal(classifyExit(life, signal, false), outcome);
      assert.equal(classifyExit(life, signal, true), "oom");
    });
  }
});
