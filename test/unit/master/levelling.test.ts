// Whom the master asks to take a connection that another worker has accepted, what it tells whom, and where the connection goes in the end. Workers are the test's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Levelling } from "../../../src/master/levelling.ts";
import type { SpareOrder } from "../../../src/messenger/spare.ts";
import type { TcpHandle } from "../../../src/sockets/internals.ts";

interface Worker {
  readonly state: string;
  readonly suspected?: boolean;
  readonly ailments?: readonly object[];
  /** Those of one name share it. */
  readonly slot?: string;
  /** What it has said in its last heartbeat, at that moment. */
  readonly beat?: { readonly connections: number; readonly at: number };
}

const PORT = 3_000;
const PATIENCE_MS = 250;

function setScene(all: readonly Worker[]) {
  let now = 1;
  let stop: object | null = null;
  let open = 0;
  const workers = new Map(all.map((worker, index) => [index + 1, worker]));
  const deaf = new Set<number>();
  const mail: object[] = [];
  const timers = new Set<{ readonly ms: number; readonly callback: () => void }>();
  const lives = () =>
    [...workers].map(([id, { beat, ...worker }]) => ({
      ...{ id, suspected: false, ailments: [], lastSeenAt: beat?.at ?? 0 },
      ...{ sample: beat === undefined ? null : { connections: beat.connections }, ...worker },
    }));
  const post = (life: number, order: object): boolean => workers.has(life) && !deaf.has(life) && mail.push({ life, ...order }) > 0;
  const levelling = new Levelling({
    children: {
      tell: post,
      handOver: (life, { type, id, isOwn }) => (post(life, { type, id, ...(isOwn ? { isOwn } : {}) }) ? { isAlone: true } : null),
    },
    world: {
      now: () => now,
      startTimer(ms, callback) {
        const timer = { ms, callback };
        timers.add(timer);
        return () => timers.delete(timer);
      },
    },
    state: () =>
      ({
        stop,
        workers: [...Map.groupBy(lives(), ({ id, slot }) => slot ?? `${id}`).values()].map((own, index) => ({ index, lives: own })),
      }) as never,
  });
  const connection = (isThere: boolean): TcpHandle => {
    open++;
    return { fd: -1, getpeername: () => (isThere ? 0 : -107), close: () => open-- } as unknown as TcpHandle;
  };
  return {
    ...{ levelling, deaf },
    /** What was said since the last look. */
    read: () => mail.splice(0),
    /** Connections that the master has. */
    open: () => open,
    spare: (life: number, id: number, count: number) =>
      levelling.onSpare(life, { type: "spare", id, port: PORT, host: null, count }, undefined),
    wants: (life: number, id: number, isWanted: boolean, count: number) =>
      levelling.onSpare(life, { type: "wants", id, isWanted, count }, undefined),
    keeps: (life: number, id: number) => levelling.onSpare(life, { type: "keeps", id }, undefined),
    yields: (life: number, id: number, taker: number, isThere = true) =>
      levelling.onSpare(life, { type: "yields", id, port: PORT, host: null, taker }, connection(isThere)),
    elapse: (ms: number) => (now += ms),
    /** Runs out of patience with whoever is to take a connection. */
    expire() {
      for (const timer of [...timers]) if (timer.ms === PATIENCE_MS * 2 && timers.delete(timer)) timer.callback();
      return new Promise((resolve) => setImmediate(resolve));
    },
    stop() {
      stop = { stage: "workers" };
      levelling.settled({ stop } as never);
    },
    die(life: number) {
      workers.delete(life);
      levelling.onGone(life);
    },
  };
}

const READY: Worker = { state: "ready" };
const spared = (life: number, id: number, below: number) => ({
  life,
  ...({ type: "spared", id, port: PORT, host: null, below } as SpareOrder),
});
const wanted = (life: number, id: number, taker: number | null) => ({ life, ...({ type: "wanted", id, taker } as SpareOrder) });
const take = (life: number, id: number) => ({ life, type: "take", id });
const takeBack = (life: number, id: number) => ({ ...take(life, id), isOwn: true });

test("asks one with fewer, tells the giver, and hands over what it yields", () => {
  const { levelling, open, read, spare, wants, yields } = setScene([READY, READY]);
  spare(1, 7, 3);
  assert.deepEqual(read(), [spared(2, 1, 3)]);
  wants(2, 1, true, 0);
  assert.deepEqual(read(), [wanted(1, 7, 2)]);
  assert.equal(open(), 0, "the giver has it");
  yields(1, 7, 2);
  assert.deepEqual(read(), [take(2, 1)]);
  levelling.onAnswer(2, 1, "taken");
  assert.deepEqual([open(), levelling.moved], [0, 1]);
});

test("asks three, one after the other, and then leaves it to the giver", () => {
  const { read, spare, wants } = setScene([READY, READY, READY, READY, READY]);
  spare(1, 7, 3);
  for (const life of [2, 3, 4]) {
    assert.deepEqual(read(), [spared(life, 1, 3)]);
    wants(life, 1, false, 5);
  }
  assert.deepEqual(read(), [wanted(1, 7, null)]);
});

test("asks the emptiest first, by what was said last, and of several the one that was not asked for longest", () => {
  const beat = (connections: number, at: number): Worker => ({ ...READY, beat: { connections, at } });
  const { elapse, keeps, read, spare, wants } = setScene([READY, beat(2, 0), beat(1, 0), beat(1, 0)]);
  spare(1, 1, 9);
  assert.deepEqual(read(), [spared(3, 1, 9)]);
  wants(3, 1, false, 9);
  assert.deepEqual(read(), [spared(4, 1, 9)]);
  wants(4, 1, false, 9);
  assert.deepEqual(read(), [spared(2, 1, 9)]);
  wants(2, 1, false, 9);
  read();
  elapse(1);
  spare(1, 2, 9);
  assert.deepEqual(
    read(),
    [spared(2, 2, 9)],
    "of those with nine the last one waits longest for its turn: it was the first that was asked",
  );
  keeps(1, 2);
});

test("asks nobody who is not ready, not well, in doubt or in a slot with another one, nor the giver", () => {
  const { read, spare } = setScene([
    READY,
    { state: "draining" },
    { state: "starting" },
    { ...READY, suspected: true },
    { ...READY, ailments: [{}] },
    { ...READY, slot: "b" },
    { ...READY, slot: "b" },
  ]);
  spare(1, 1, 9);
  assert.deepEqual(read(), [wanted(1, 1, null)]);
});

test("asks nobody twice who does not answer, and nobody who does not take what it is sent", () => {
  const { deaf, keeps, read, spare, wants } = setScene([READY, READY, READY]);
  spare(1, 1, 3);
  assert.deepEqual(read(), [spared(2, 1, 3)]);
  keeps(1, 1);
  spare(1, 2, 3);
  assert.deepEqual(read(), [spared(3, 2, 3)]);
  keeps(1, 2);
  spare(1, 3, 3);
  assert.deepEqual(read(), [wanted(1, 3, null)]);
  wants(2, 1, true, 0);
  assert.deepEqual(read(), [], "too late");
  deaf.add(2);
  spare(1, 4, 3);
  assert.deepEqual(read(), [wanted(1, 4, null)]);
  deaf.clear();
  spare(1, 5, 3);
  assert.deepEqual(read(), [spared(2, 5, 3)], "it has answered, and owes nothing for what did not reach it");
});

test("offers a worker nothing more while it waits for what it wants", () => {
  const { keeps, read, spare, wants } = setScene([READY, READY, READY]);
  spare(1, 1, 3);
  wants(2, 1, true, 0);
  read();
  spare(3, 1, 3);
  assert.deepEqual(read(), [spared(1, 2, 3)]);
  wants(1, 2, false, 3);
  assert.deepEqual(read(), [wanted(3, 1, null)]);
  keeps(1, 1);
  spare(3, 2, 3);
  assert.deepEqual(read(), [spared(2, 3, 3)]);
});

test("takes no word from one that has ended, but a connection, and has nobody wait for a giver that cannot be told, or says nothing", () => {
  const { deaf, die, elapse, keeps, open, read, spare, wants, yields } = setScene([READY, READY, READY, READY]);
  die(4);
  spare(4, 1, 3);
  assert.deepEqual(read(), []);
  yields(4, 1, 2);
  assert.deepEqual([read(), open()], [[take(2, 1)], 1]);
  spare(1, 1, 3);
  read();
  deaf.add(1);
  wants(2, 1, true, 0);
  spare(3, 1, 3);
  assert.deepEqual(read(), [spared(2, 2, 3)], "the giver could not be told");
  wants(2, 2, true, 0);
  deaf.clear();
  spare(1, 2, 3);
  wants(3, 3, false, 3);
  assert.deepEqual(read().at(-1), wanted(1, 2, null));
  elapse(100);
  spare(1, 3, 3);
  assert.deepEqual(read(), [spared(2, 4, 3)], "it has waited long enough");
  keeps(1, 3);
});

test("asks the next one when the one that was asked dies, and forgets what a dead giver had", () => {
  const { die, read, spare, wants } = setScene([READY, READY, READY]);
  spare(1, 1, 3);
  read();
  die(2);
  assert.deepEqual(read(), [spared(3, 1, 3)]);
  die(1);
  wants(3, 1, true, 0);
  assert.deepEqual(read(), []);
});

test("gives back to the giver, and hands over to others then, what the one that wanted it does not take", async () => {
  for (const how of ["dies", "refuses", "stands still"] as const) {
    const { die, expire, levelling, open, read, spare, wants, yields } = setScene([READY, READY, READY]);
    spare(1, 1, 3);
    wants(2, 1, true, 0);
    read();
    yields(1, 1, 2);
    assert.deepEqual(read(), [take(2, 1)]);
    if (how === "dies") die(2);
    else if (how === "refuses") levelling.onAnswer(2, 1, "refused");
    else await expire();
    assert.deepEqual(read(), [takeBack(1, 2)], how);
    levelling.onAnswer(1, 2, "refused");
    assert.deepEqual(read(), [take(3, 3)], how);
    levelling.onAnswer(3, 3, "taken");
    assert.equal(open(), 0);
  }
});

test("hands over what is yielded to one that has died meanwhile, or that nobody has asked", () => {
  const { die, open, read, spare, wants, yields } = setScene([READY, READY, READY]);
  spare(1, 1, 3);
  wants(2, 1, true, 0);
  die(2);
  read();
  yields(1, 1, 2);
  assert.deepEqual(read(), [takeBack(1, 1)]);
  yields(3, 9, 77);
  assert.deepEqual(read(), [takeBack(3, 2)]);
  assert.equal(open(), 2);
});

test("closes what is no connection, or no longer", () => {
  const { levelling, open, read, yields } = setScene([READY, READY]);
  yields(1, 1, 2, false);
  levelling.onSpare(1, { type: "yields", id: 1, port: PORT, host: null, taker: 2 }, undefined);
  assert.deepEqual([read(), open(), levelling.moved], [[], 0, 0]);
});

test("cannot be made to tell a giver what nobody has said", () => {
  const { keeps, read, spare, wants } = setScene([READY, READY, READY]);
  spare(1, 1, 3);
  read();
  wants(3, 1, true, 0);
  wants(2, 99, true, 0);
  keeps(2, 1);
  assert.deepEqual(read(), []);
  wants(2, 1, true, 0);
  wants(2, 1, false, 0);
  assert.deepEqual(read(), [wanted(1, 1, 2)], "once");
});

test("leaves it to the giver in a stop, hands over what it has yielded, and closes what nobody is left for", () => {
  const { die, open, read, spare, stop, wants, yields } = setScene([READY, { state: "draining" }]);
  spare(1, 1, 3);
  assert.deepEqual(read(), [wanted(1, 1, null)]);
  yields(1, 1, 77);
  assert.deepEqual(read(), [takeBack(1, 1)]);
  stop();
  spare(1, 2, 3);
  wants(2, 1, true, 0);
  assert.deepEqual(read(), [wanted(1, 2, null)]);
  die(1);
  assert.deepEqual(read(), [take(2, 2)]);
  die(2);
  assert.equal(open(), 0);
});
