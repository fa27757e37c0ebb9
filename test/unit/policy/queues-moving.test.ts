// Stories of queues that move between workers: pairs, adoption, scaling, reloads and drains.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Settings } from "../../../src/policy/state.ts";
import { SETTINGS, Story } from "../../helpers/story.ts";

const PAIRED = { perSlot: true, spread: 2 } as const;
const PER_WORKER = { perSlot: true, spread: 1 } as const;
const SHARED = { perSlot: false, spread: Number.POSITIVE_INFINITY } as const;

const story = (listening: Settings["listening"], workerCount: number): Story => new Story({ listening, workerCount, hasAgent: false });

/** What each slot's ready life accepts from, by the state; "-": nothing is ready there. */
function held(of: Story): readonly string[] {
  return of.state.workers.map((slot) => slot.lives.find((life) => life.state === "ready")?.queues.join(" ") ?? "-");
}

/** The same by the orders alone: what a life was born with, and what it was told since. */
function heldByOrders(of: Story, life: number): readonly number[] {
  const queues = new Set(of.forks.find((fork) => fork.life === life)?.queues);
  for (const effect of of.effects) {
    if (effect.type === "adopt" && effect.life === life) queues.add(effect.queue);
    if (effect.type === "release" && effect.life === life) queues.delete(effect.queue);
  }
  return [...queues].sort((a, b) => a - b);
}

/** Every queue has a ready worker, and what the state says is what the workers were told. */
function assertCovered(of: Story): void {
  const ready = of.lives().filter((life) => life.state === "ready");
  const covered = new Set(ready.flatMap((life) => life.queues));
  for (let queue = 0; queue < of.state.queues; queue++) assert.ok(covered.has(queue), `queue ${queue} in ${held(of).join(", ")}`);
  for (const life of ready)
    assert.deepEqual(
      heldByOrders(of, life.id),
      [...life.queues].sort((a, b) => a - b),
    );
}

/** Kills a slot's worker twice, so that its third life waits for the backoff. */
function bringDown(of: Story, ...slots: readonly number[]): void {
  for (let deaths = 0; deaths < 2; deaths++) {
    for (const slot of slots) of.exit(of.worker(slot), "SIGKILL");
    if (deaths === 0) of.ready();
  }
}

test("opens the queues before it forks anybody, and each pair is born with its own", () => {
  const of = story(PAIRED, 4).boot();
  const order = of.effects.filter(({ type }) => type === "open-queue" || type === "fork").map(({ type }) => type);
  assert.deepEqual(order, [...Array(4).fill("open-queue"), ...Array(4).fill("fork")]);
  assert.deepEqual(held(of), ["0 1", "1 2", "2 3", "3 0"]);
  assert.deepEqual(of.all("adopt"), []);
});

test("with one of a pair gone, its neighbour serves both queues and nothing moves", () => {
  const of = story(PAIRED, 4).boot();
  of.exit(of.worker(1), "SIGKILL");
  assert.deepEqual([...of.all("adopt"), ...of.all("release")], []);
  of.ready();
  assert.deepEqual(held(of), ["0 1", "1 2", "2 3", "3 0"]);
});

test("with both of a pair gone, another adopts the queue at once, and gives it back as soon as one of them is ready", () => {
  const of = story(PAIRED, 4).boot();
  bringDown(of, 0, 3);
  assert.deepEqual(held(of), ["-", "1 2 0", "2 3", "-"]);
  assertCovered(of);
  of.pass(600);
  assert.deepEqual(held(of), ["-", "1 2 0", "2 3", "-"], "the starting ones do not accept yet");
  of.ready(of.worker(0));
  assert.deepEqual(held(of), ["0 1", "1 2", "2 3", "-"]);
  assertCovered(of);
  of.ready();
  assertCovered(of);
});

test("an orphaned queue is adopted before any successor is forked: a fork takes the master longer than the clients should wait", () => {
  const of = story(PAIRED, 4).boot();
  of.exit(of.worker(0), "SIGKILL");
  const types = of.exit(of.worker(3), "SIGKILL").map(({ type }) => type);
  assert.deepEqual(
    types.filter((type) => type === "adopt" || type === "fork"),
    ["adopt", "fork"],
  );
});

test("spreads orphaned queues over those that have the fewest", () => {
  const of = story(PER_WORKER, 6).boot();
  bringDown(of, 0, 1, 2, 3);
  assert.deepEqual(held(of).slice(4), ["4 0 2", "5 1 3"]);
  assertCovered(of);
});

test("with both of a pair hanging, another adopts their queue, and gives it back when they answer again", () => {
  const of = story(PAIRED, 4).boot();
  for (const slot of [0, 3]) of.silent.add(of.worker(slot));
  of.pass(SETTINGS.heartbeatTimeoutMs / 2);
  assert.deepEqual(held(of), ["0 1", "1 2 0", "2 3", "3 0"], "those that hang keep theirs");
  of.silent.clear();
  of.pass(1_000);
  assert.deepEqual(held(of), ["0 1", "1 2", "2 3", "3 0"]);
  assertCovered(of);
});

test("in one step nobody is told to let go of a queue before others are told to take what they will have", () => {
  const of = story(PAIRED, 5).boot();
  for (const signal of ["SIGTTOU", "SIGTTOU", "SIGTTIN", "SIGTTIN"] as const) {
    of.watch = (_before, _event, effects) => {
      const orders = effects.flatMap(({ type }) => (type === "adopt" || type === "release" ? [type] : []));
      assert.deepEqual(orders, [...orders].sort(), "adopt sorts before release");
    };
    of.signal(signal).finishDrains().ready();
    assertCovered(of);
  }
  assert.ok(of.all("adopt").length > 0 && of.all("release").length > 0);
});

test("with nobody left, the first to be ready adopts them all", () => {
  const of = story(PAIRED, 3).boot();
  bringDown(of, 0, 1, 2);
  of.pass(600);
  of.ready(of.worker(1));
  assertCovered(of);
  of.ready();
  assert.deepEqual(held(of), ["0 1", "1 2", "2 0"]);
  assertCovered(of);
});

test("a worker that drains after an exception gives nothing to do: its queues are adopted in the same moment", () => {
  const of = story(PER_WORKER, 2).boot();
  of.fault(of.worker(0));
  assert.deepEqual(held(of), ["-", "1 0"]);
  of.ready();
  assert.deepEqual(held(of), ["0", "1"]);
  assertCovered(of);
});

test("scaled up, each new slot has a queue of its own, and the neighbours take their parts", () => {
  const of = story(PAIRED, 1).boot();
  assert.deepEqual(held(of), ["0"]);
  for (let workers = 2; workers <= 4; workers++) {
    of.signal("SIGTTIN");
    assertCovered(of);
    of.ready();
    assertCovered(of);
  }
  assert.deepEqual(
    held(of).map((queues) => queues.split(" ").sort().join(" ")),
    ["0 1", "1 2", "2 3", "0 3"],
  );
});

test("scaled down, the queue of the slot that goes stays with the others: it is never closed", () => {
  const of = story(PAIRED, 4).boot();
  for (let workers = 3; workers >= 1; workers--) {
    of.signal("SIGTTOU");
    assertCovered(of);
    of.finishDrains();
    assertCovered(of);
  }
  assert.deepEqual(held(of), ["0 1 2 3"]);
  assert.equal(of.all("close-queues").length, 0);
  of.signal("SIGTTIN").ready();
  assert.equal(of.all("open-queue").length, 4, "the old ones are used again");
  assertCovered(of);
});

test("through a reload every queue has a ready worker in every moment, whether a worker leaves first or not", () => {
  for (const surge of [1, 0]) {
    for (const listening of [PAIRED, PER_WORKER, SHARED]) {
      const of = new Story({ listening, workerCount: 3, hasAgent: false, surge }, { bootMs: 300, drainMs: 1_000, killMs: 0 });
      of.start().pass(400);
      of.watch = () => assertCovered(of);
      of.signal("SIGHUP").pass(30_000);
      assert.equal(of.state.rollout, null);
      assert.equal(of.state.generation, 2);
    }
  }
});

test("shared: everybody accepts from everything, which is one socket on a declared port", () => {
  const of = story(SHARED, 3).boot();
  assert.deepEqual(
    held(of).map((queues) => queues.split(" ").sort().join(" ")),
    ["0 1 2", "0 1 2", "0 1 2"],
  );
});

test("where nothing is held, there are no queues", () => {
  const of = story(null, 3).boot();
  of.signal("SIGTTIN").ready();
  assert.deepEqual(held(of), ["", "", "", ""]);
  assert.deepEqual([...of.all("open-queue"), ...of.all("adopt"), ...of.all("close-queues")], []);
});

test("where nothing is held, a stop says all the same that nobody accepts any more, also when no worker is left", () => {
  for (const workers of [2, 1]) {
    const of = new Story({ listening: null, workerCount: workers, hasAgent: true }).boot();
    if (workers === 1) of.exit(of.worker(0), "SIGKILL");
    of.signal("SIGTERM");
    for (const { id } of of.lives()) of.feed({ type: "closed", life: id });
    assert.equal(of.all("close-queues").length, 1);
  }
});

test("while a stop only delays, the queues of a worker that dies are adopted; later nobody takes any", () => {
  const of = new Story({ listening: PER_WORKER, workerCount: 3, hasAgent: false, drainDelayMs: 5_000 }).boot();
  of.signal("SIGTERM");
  of.exit(of.worker(0), "SIGKILL");
  assert.deepEqual(held(of), ["-", "1 0", "2"]);
  assertCovered(of);
  of.pass(5_000);
  const moves = of.all("adopt").length;
  of.exit(of.lives()[0]?.id as number, "SIGKILL");
  assert.equal(of.all("adopt").length, moves);
});

test("a stop closes the queues once, as soon as nobody accepts any more, and adopts nothing", () => {
  const of = story(PAIRED, 3).boot();
  of.signal("SIGTERM");
  const moves = of.all("adopt").length;
  assert.equal(of.all("close-queues").length, 0);
  const [first, ...others] = of.lives().map(({ id }) => id);
  of.feed({ type: "closed", life: first as number });
  assert.equal(of.all("close-queues").length, 0, "two still accept");
  for (const life of others) of.feed({ type: "closed", life });
  assert.equal(of.all("close-queues").length, 1);
  of.finishDrains();
  assert.equal(of.all("close-queues").length, 1);
  assert.equal(of.all("adopt").length, moves);
  assert.equal(of.exitCode, 0);
});
