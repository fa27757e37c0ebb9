// Accepting in the master, with a real socket and workers that are the test's: who is asked when somebody may be there again; in a stop, what has been accepted
// comes first, and then whoever has none of it left is told to drain.
import assert from "node:assert/strict";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { Acceptor } from "../../../src/master/acceptor.ts";
import type { HandOverOrder } from "../../../src/messenger/wire.ts";
import type { Stop } from "../../../src/policy/state.ts";
import type { ConnectionHandle } from "../../../src/sockets/internals.ts";
import { freePort } from "../../helpers/ports.ts";
import { until } from "../../helpers/until.ts";

const WAIT_MS = 7_000;

interface Worker {
  readonly state: "starting" | "ready" | "draining";
  readonly suspected?: boolean;
}

interface Scene {
  readonly acceptor: Acceptor;
  /** The lives that were told to drain, in order. */
  readonly told: readonly number[];
  /** What each life was sent and has not answered. */
  onTheirWay(life: number): readonly HandOverOrder[];
  /** How many came to a life at all. */
  sentTo(life: number): number;
  /** Clients that connect at once: the master can look at none of them before this is over. */
  connect(count: number): void;
  answer(life: number, answer: "taken" | "late"): void;
  /** From here on each life takes at once what it is sent. */
  takeAll(): void;
  set(life: number, worker: Worker): void;
  stop(stage: Stop["stage"]): void;
  drain(life: number): void;
  /** A timer of so many milliseconds ends. */
  elapse(ms: number): void;
}

async function setScene(t: TestContext, lives: number, first: Worker = { state: "ready" }): Promise<Scene> {
  const port = await freePort();
  const workers = new Map(Array.from({ length: lives }, (_, index): [number, Worker] => [index + 1, first]));
  let state = {};
  const onTheirWay: { readonly life: number; readonly order: HandOverOrder }[] = [];
  const sent: number[] = [];
  const told: number[] = [];
  const timers = new Set<{ readonly ms: number; readonly callback: () => void }>();
  const clients: net.Socket[] = [];
  let stop: { readonly stage: Stop["stage"] } | null = null;
  let isTaking = false;
  const settle = (): void => {
    const slots = [...workers].map(([id, worker]) => ({ index: id - 1, lives: [{ id, suspected: false, ...worker }] }));
    state = { workers: slots, stop };
    acceptor.settled(state as never);
  };
  const copies: ConnectionHandle[] = [];
  const answer = (life: number, said: "taken" | "late"): void => {
    const index = onTheirWay.findIndex((each) => each.life === life);
    const [{ order }] = onTheirWay.splice(index, 1) as unknown as [{ order: HandOverOrder }];
    acceptor.onAnswer(life, order.id, said);
  };
  const acceptor: Acceptor = new Acceptor({
    strategy: "round-robin",
    config: { ports: [port], host: "127.0.0.1", stickyTrust: "off", heartbeatTimeoutMs: 1_000_000 },
    children: {
      handOver: (life, order, handle) => {
        onTheirWay.push({ life, order });
        sent.push(life);
        copies.push(handle);
        if (isTaking) setImmediate(() => answer(life, "taken"));
        return { isAlone: true };
      },
    },
    world: {
      startTimer: (ms, callback) => {
        const timer = { ms, callback };
        timers.add(timer);
        return () => timers.delete(timer);
      },
    },
    state: () => state as never,
    write: () => {},
    onConflict: (error) => assert.fail(error),
  });
  acceptor.bind();
  t.after(() => {
    acceptor.close();
    for (const each of [...clients, ...copies]) "destroy" in each ? each.destroy() : each.close();
  });
  settle();
  for (const life of workers.keys()) acceptor.onPort(life, { type: "opened", port, host: "127.0.0.1" }, undefined);
  return {
    acceptor,
    told,
    onTheirWay: (life) => onTheirWay.filter((each) => each.life === life).map(({ order }) => order),
    sentTo: (life) => sent.filter((each) => each === life).length,
    connect: (count) => {
      for (let made = 0; made < count; made++) clients.push(net.connect(port, "127.0.0.1").on("error", () => {}));
    },
    answer,
    takeAll: () => {
      isTaking = true;
      for (const { life } of [...onTheirWay]) answer(life, "taken");
    },
    set: (life, worker) => {
      workers.set(life, worker);
      settle();
    },
    stop: (stage) => {
      stop = { stage };
      if (stage === "workers") for (const life of workers.keys()) workers.set(life, { state: "draining" });
      settle();
    },
    drain: (life) => acceptor.drain(life, WAIT_MS, () => void told.push(life)),
    elapse: (ms) => {
      for (const timer of [...timers]) if (timer.ms === ms && timers.delete(timer)) timer.callback();
    },
  };
}

test("hands over what waits to a worker that has been found well again", async (t) => {
  const { acceptor, connect, onTheirWay, sentTo, set } = await setScene(t, 2);
  set(1, { state: "ready", suspected: true });
  connect(2);
  await until("both are accepted", () => [...acceptor.held.values()][0] === 2);
  assert.deepEqual([sentTo(1), onTheirWay(2).length], [0, 1], "one waits for the other worker");
  set(1, { state: "ready" });
  assert.equal(onTheirWay(1).length, 1);
});

test("in a stop, takes in all that the kernel has accepted before any worker is told", async (t) => {
  const { connect, drain, stop, takeAll, told, sentTo } = await setScene(t, 2);
  takeAll();
  connect(60);
  stop("workers");
  drain(1);
  drain(2);
  await until("both are told", () => told.length === 2);
  assert.equal(sentTo(1) + sentTo(2), 60);
});

test("in a stop, tells whoever has nothing left, and the others when they have taken it", async (t) => {
  const { connect, drain, stop, answer, told, sentTo, onTheirWay } = await setScene(t, 2);
  connect(2);
  await until("each has one", () => sentTo(1) === 1 && sentTo(2) === 1);
  answer(2, "taken");
  stop("workers");
  drain(1);
  drain(2);
  await until("one is told", () => told.length > 0);
  assert.deepEqual(told, [2]);
  answer(1, "late");
  assert.deepEqual([told.length, onTheirWay(1).length], [1, 1], "it is given it again");
  answer(1, "taken");
  assert.deepEqual(told, [2, 1]);
});

test("in a stop, tells a worker that does not answer when its wait is over, and at once when there is a hurry", async (t) => {
  const { acceptor, connect, drain, stop, told, sentTo, elapse } = await setScene(t, 3);
  connect(4);
  await until("one waits", () => [...acceptor.held.values()][0] === 4);
  stop("workers");
  for (const life of [1, 2, 3]) drain(life);
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(told, []);
  drain(2);
  assert.deepEqual(told, [2]);
  await until("the wait begins", () => {
    elapse(WAIT_MS);
    return told.length === 3;
  });
  assert.deepEqual(told, [2, 1, 3]);
  assert.deepEqual([sentTo(1), sentTo(2), sentTo(3)], [1, 1, 1]);
  assert.equal(acceptor.dropped.untaken, 1, "nobody is left for the one that waited");
});

test("while a stop only delays, a worker that drains by itself takes nothing from the others", async (t) => {
  const { connect, drain, stop, set, told, takeAll, sentTo } = await setScene(t, 2);
  takeAll();
  stop("delaying");
  set(1, { state: "draining" });
  drain(1);
  assert.deepEqual(told, [1]);
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
  connect(3);
  await until("the other one serves them", () => sentTo(2) === 3);
});

test("in a stop, does not begin to listen for a worker that is not ready yet", async (t) => {
  const { connect, drain, stop, set, told, sentTo } = await setScene(t, 1, { state: "starting" });
  stop("workers");
  drain(1);
  set(1, { state: "draining" });
  connect(1);
  await until("it is told", () => told.length === 1);
  assert.equal(sentTo(1), 0);
});
