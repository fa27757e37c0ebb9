// Random lives of a service: whatever happens in whatever order, the invariants hold after every step, and when events cease
// the service ends in its desired state. A failure prints its seed: ROLLCALL_RANDOM_SEED=<seed> runs that one alone;
// ROLLCALL_RANDOM_RUNS=<n> runs more of them.
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Effect } from "../../../src/policy/effects.ts";
import type { Event, Order } from "../../../src/policy/events.ts";
import type { Life, Limits, Sample, Slot } from "../../../src/policy/life.ts";
import { isHolding, isReady, readyLife } from "../../../src/policy/select.ts";
import { nextDeadline, TICK_MS } from "../../../src/policy/service.ts";
import { takeSnapshot } from "../../../src/policy/snapshot.ts";
import type { Settings, State } from "../../../src/policy/state.ts";
import { Story } from "../../helpers/story.ts";

const RUNS = Number(process.env.ROLLCALL_RANDOM_RUNS ?? 300);
const EVENTS = 200;
const SEED = process.env.ROLLCALL_RANDOM_SEED;
/** Long enough for the longest backoff, a reload of every slot, and the drains of all of them. */
const CALM_MS = 120_000;
/** In which every worker is over its memory limit at every heartbeat, and how often a slot may start in it: backoffs of 0.5 to 30 s, and reloads. */
const HEAT_MS = 60_000;
const STARTS_IN_HEAT = 20;
const LIMITS: Limits = { residentBytes: 200_000_000, heapBytes: 50_000_000, requests: 1_000, lifetimeMs: 25_000 };
const LARGE: Partial<Sample> = { residentBytes: 300_000_000 };

/** mulberry32. */
function dice(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pick<T>(random: () => number, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

function settingsOf(random: () => number): Partial<Settings> {
  return {
    hasAgent: random() < 0.6,
    workerCount: 1 + Math.floor(random() * 4),
    cpus: 1 + Math.floor(random() * 4),
    surge: pick(random, [0, 1, 1, 2, 16]),
    settleMs: pick(random, [0, 0, 700, 3_000]),
    maxRestarts: pick(random, [3, 10, 1_000]),
    onException: pick(random, ["exit", "report"]),
    bootTimeoutMs: pick(random, [1_000, 8_000]),
    stopTimeoutMs: pick(random, [1_000, 9_000]),
    drainDelayMs: pick(random, [0, 0, 900]),
    heartbeatTimeoutMs: pick(random, [4_000, 30_000]),
    rollCallPeriodMs: pick(random, [700, 10_000]),
    shareBytes: pick(random, [null, 250_000_000]),
    limits: {
      residentBytes: pick(random, [null, LIMITS.residentBytes]),
      heapBytes: pick(random, [null, LIMITS.heapBytes]),
      requests: pick(random, [null, LIMITS.requests]),
      lifetimeMs: pick(random, [null, LIMITS.lifetimeMs]),
    },
  };
}

/** What must hold after every step. */
function hold(story: Story, before: State, event: Event, effects: readonly Effect[]): void {
  const { state, now } = story;
  const slots = state.agent === null ? state.workers : [state.agent, ...state.workers];
  assert.ok((state.agent?.lives.length ?? 0) <= 1, "one agent");
  for (const slot of state.workers) holdPair(state, slot);
  const pairs = state.workers.filter((slot) => slot.lives.filter(isHolding).length > 1).length;
  assert.ok(pairs <= state.settings.surge, "as many successors as surge allows");
  if (state.rollout === null && state.stop === null) assert.ok(pairs <= 1, "one at a time is recycled or restarted");
  if (state.rollout?.stage === "agent") assert.equal(pairs, 0, "no worker is replaced before the agent");
  if (state.stop === null) {
    const kept = state.workers.filter((slot) => slot.index < state.workersTarget);
    const holding = kept.flatMap((slot) => slot.lives).filter(isHolding).length;
    assert.ok(holding <= state.workersTarget + state.settings.surge, "no more than target and surge");
    const isShort = kept.filter((slot) => readyLife(slot) !== null).length < Math.min(state.settings.minReady, state.workersTarget);
    const leaving = state.workers.filter((slot) => slot.index >= state.workersTarget && slot.lives.some(isHolding));
    assert.ok(leaving.length === 0 || isShort, "who is too many leaves, unless nobody else serves");
  }
  const ids = slots.flatMap((slot) => slot.lives.map(({ id }) => id));
  assert.equal(new Set(ids).size, ids.length, "ids are unique");
  assert.deepEqual(
    state.workers.map(({ index }) => index),
    [...new Set(state.workers.map(({ index }) => index))].sort((a, b) => a - b),
  );
  assert.ok(state.workersTarget >= 1);
  holdTime(state, now);
  holdStop(before, state, effects, event);
  for (const slot of slots) holdCounters(before, slot);
  takeSnapshot(state, now);
}

function holdPair(state: State, slot: Slot): void {
  const holding = slot.lives.filter(isHolding);
  if (holding.length <= 1) return;
  const [old, successor] = holding as [Life, Life];
  assert.equal(holding.length, 2, "one holding life per slot, and its successor");
  assert.ok(old.id < successor.id && old.generation <= successor.generation);
  if (state.stop !== null) return;
  assert.equal(old.state, "ready");
  // Only the first of a new generation may be ready beside the one that it is to replace.
  if (successor.state === "ready") {
    assert.ok(state.rollout !== null && state.steppedAt < successor.readyAt + state.settings.settleMs, "on trial");
  }
  assert.equal(successor.generation, state.generation, "a successor is of the newest generation");
  if (state.rollout === null) assert.match(successor.reason, /^(restart|recycle_)/);
  else assert.equal(successor.reason, "reload");
}

function holdTime(state: State, now: number): void {
  const next = nextDeadline(state, now);
  assert.ok(Number.isFinite(next) && next <= now + TICK_MS, "the clock ticks");
  for (const slot of [...(state.agent === null ? [] : [state.agent]), ...state.workers]) {
    for (const life of slot.lives) {
      if (life.state === "starting" || life.state === "draining") assert.ok(next <= life.deadlineAt, "no deadline is slept over");
    }
  }
}

function holdStop(before: State, state: State, effects: readonly Effect[], event: Event): void {
  const exits = effects.filter(({ type }) => type === "exit").length;
  const lives = [...(state.agent?.lives ?? []), ...state.workers.flatMap((slot) => slot.lives)];
  // Two seconds after the deadline, what was killed and has not ended is left to the kernel.
  const isGivenUp = state.stop !== null && state.steppedAt >= state.stop.deadlineAt + 2_000;
  const left = lives.filter((life) => !isGivenUp || life.state !== "killing").length;
  if (exits > 0) {
    assert.equal(exits, 1);
    assert.equal(left, 0, "nobody is left at the exit");
    assert.notEqual(before.stop?.stage, "finished", "one exit");
  }
  if (state.stop !== null) assert.ok(!effects.some(({ type }) => type === "fork"), `no fork in a stop (${event.type})`);
  if (before.stop === null) return;
  assert.ok(state.stop !== null, "no way back from a stop");
  assert.equal(state.stop.reason, before.stop.reason, "the first cause wins");
  assert.ok(state.stop.deadlineAt <= before.stop.deadlineAt, "the budget never grows");
  assert.ok(state.stop.forced || !before.stop.forced);
}

function holdCounters(before: State, slot: Slot): void {
  const old = slot.role === "agent" ? before.agent : before.workers.find(({ index }) => index === slot.index);
  if (old == null) return;
  const requests = (each: Slot) => each.lives.reduce((sum, { sample }) => sum + (sample?.requests ?? 0), each.endedRequests);
  assert.ok(requests(slot) >= requests(old), "counters never go backwards");
  assert.ok(slot.restarts >= old.restarts);
}

/** One random thing happens. */
function shake(story: Story, random: () => number, ended: number[]): void {
  const lives = story.lives();
  const known = random() < 0.9 && lives.length > 0 ? pick(random, lives).id : pick(random, [...ended, 0, 9_999]);
  switch (
    pick(random, ["pass", "pass", "pass", "ready", "ready", "ready", "beat", "fault", "closed", "exit", "exit", "signal", "order", "rare"])
  ) {
    case "pass":
      return void story.pass(Math.floor(random() * pick(random, [10, 1_000, 4_000])));
    case "ready":
      return void story.feed({ type: "readied", life: known });
    case "beat":
      if (random() < 0.5) story.silent.add(known);
      return void story.beat(known, pick(random, [{}, {}, LARGE, { heapLiveBytes: 50_000_000 }, { requests: 1_000 }]));
    case "fault":
      return void (random() < 0.4 && story.fault(known));
    case "closed":
      return void story.feed({ type: "closed", life: known });
    case "exit": {
      // A good part of the exits are the drains that were asked for.
      const draining = lives.find(({ state }) => state === "draining");
      const life = draining !== undefined && random() < 0.6 ? draining.id : known;
      ended.push(life);
      return void story.exit(life, pick(random, [0, 1, 143, "SIGKILL", "SIGTERM"]));
    }
    case "signal":
      return void story.signal(pick(random, ["SIGHUP", "SIGHUP", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"]));
    case "order":
      return void story.order(orderOf(random));
    case "rare": {
      const chance = random();
      if (chance < 0.04) story.signal(pick(random, ["SIGTERM", "SIGINT", "SIGQUIT"]));
      else if (chance < 0.05) story.feed({ type: "failed", reason: "internal" });
      else if (chance < 0.15) story.suspend(10_000 + random() * 100_000);
      return;
    }
  }
}

function orderOf(random: () => number): Order {
  return pick<Order>(random, [
    { kind: "reload", agent: random() < 0.5 },
    { kind: "restart", role: "worker", slot: Math.floor(random() * 5) - 1 },
    { kind: "restart", role: "worker", slot: 0 },
    { kind: "restart", role: "agent", slot: 0 },
    { kind: "scale", workers: Math.floor(random() * 5) },
    { kind: "maintain", on: random() < 0.5 },
  ]);
}

/** The desired state, when events have ceased and all children behave; or the end. */
function isAtRest(story: Story): boolean {
  const { state, now } = story;
  if (state.stop !== null) return story.exitCode !== null;
  const { agent, workers, workersTarget } = state;
  const isCalm = (slot: Slot) => slot.lives.length === 1 && readyLife(slot) !== null;
  return (
    workers.length === workersTarget &&
    workers.every(isCalm) &&
    (agent === null || isCalm(agent)) &&
    state.rollout === null &&
    isReady(state, now)
  );
}

function live(seed: number): string {
  const random = dice(seed);
  const story = new Story(settingsOf(random), { bootMs: random() < 0.5 ? 100 : null, drainMs: null, killMs: 20 });
  story.random = random;
  story.watch = (before, event, effects) => hold(story, before, event, effects);
  // Some die while they boot; most live long enough to see more.
  if (random() < 0.2) story.start();
  else story.boot();
  const ended: number[] = [];
  for (let round = 0; round < EVENTS && story.exitCode === null; round++) {
    shake(story, random, ended);
  }
  const { picture } = story;
  story.order({ kind: "maintain", on: false }).behave({ bootMs: 50, drainMs: 50, killMs: 5 });
  const { length } = story.forks;
  story.says = () => LARGE;
  story.pass(HEAT_MS);
  const most = STARTS_IN_HEAT * (story.state.workers.length + 1);
  assert.ok(story.forks.length - length <= most, `a hot loop: ${story.forks.length - length} starts in ${HEAT_MS} ms`);
  story.says = () => ({});
  story.pass(CALM_MS);
  // A worker that has served its time may just be in replacement.
  for (let moments = 0; moments < 10 && !isAtRest(story); moments++) story.pass(150);
  assert.ok(isAtRest(story), `does not come to rest: ${picture} became ${story.picture} (${JSON.stringify(story.state.stop)})`);
  assert.ok(story.all("exit").length <= 1);
  const kills = story.all("kill").map(({ life }) => life);
  assert.equal(new Set(kills).size, kills.length, "nobody is killed twice");
  return story.exitCode === null ? "running" : `exit ${story.exitCode}`;
}

it(`holds its invariants and comes to rest, in ${SEED === undefined ? RUNS : 1} random lives`, (t) => {
  const endings = new Map<string, number>();
  const first = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
  for (let run = 0; run < (SEED === undefined ? RUNS : 1); run++) {
    try {
      const ending = live(first + run);
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
    } catch (error) {
      throw new Error(`ROLLCALL_RANDOM_SEED=${first + run}: ${(error as Error).message}`, { cause: error });
    }
  }
  t.diagnostic(`first seed ${first}; ${JSON.stringify(Object.fromEntries(endings))}`);
});
