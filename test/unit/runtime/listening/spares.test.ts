// What a worker does with a connection that it could do without, and what it says of itself when it is asked: it serves what nobody wants in time, and gives away
// what the master has taken. The channel and the app's server are the test's.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChildToMaster } from "../../../../src/messenger/wire.ts";
import type { Channel } from "../../../../src/runtime/border/channel.ts";
import { Spares } from "../../../../src/runtime/listening/spares.ts";
import type { HandleGroup } from "../../../../src/sockets/handle-group.ts";
import type { ConnectionHandle } from "../../../../src/sockets/internals.ts";
import { until } from "../../../helpers/until.ts";

const WHERE = { port: 3_000, host: null };

function setScene(count: number) {
  const said: ChildToMaster[] = [];
  const closed: string[] = [];
  const served: string[] = [];
  const traffic = { connections: { size: count } as Set<never>, isLasting: true, countOn: () => 5 };
  let isFree = true;
  let decide: ((isGone: boolean) => void) | null = null;
  const channel = {
    sendNow: (message: ChildToMaster) => said.push(message),
    isFreeForHandles: () => isFree,
    giveAway(message: ChildToMaster, _connection: ConnectionHandle, done: (isGone: boolean) => void) {
      said.push(message);
      decide = done;
    },
  };
  const spares = new Spares(channel as unknown as Channel, traffic);
  const connection = (name: string): ConnectionHandle => ({ name, close: () => closed.push(name) }) as unknown as ConnectionHandle;
  const server: { maxConnections?: number } = {};
  const group = {
    isOpen: true,
    give(given: ConnectionHandle) {
      served.push((given as unknown as { name: string }).name);
      if (served.at(-1) === "throws") throw new Error("the app's");
    },
  };
  return {
    ...{ spares, said, closed, served, traffic, group, server },
    offer: (name: string) => spares.offer(WHERE, connection(name), group as unknown as HandleGroup),
    wanted: (id: number, taker: number | null) => spares.obey({ type: "wanted", id, taker }, undefined),
    spared: (id: number, below: number) => spares.obey({ type: "spared", id, ...WHERE, below }, { server, group } as never),
    setFree: (is: boolean) => (isFree = is),
    /** What became of what was given away. */
    settle: (isGone: boolean) => decide?.(isGone),
    recall: (other?: object) => spares.recall((other ?? group) as unknown as HandleGroup),
  };
}

test("serves its first connection itself, and all where none stays, without a word", () => {
  const { offer, said, traffic } = setScene(0);
  assert.equal(offer("first"), false);
  traffic.connections = { size: 9 } as Set<never>;
  traffic.isLasting = false;
  assert.equal(offer("short"), false);
  assert.deepEqual(said, []);
});

test("lets go of what is wanted once the master has it", () => {
  const { closed, offer, said, served, settle, wanted } = setScene(2);
  assert.equal(offer("one"), true);
  assert.deepEqual(said, [{ type: "spare", id: 1, ...WHERE, count: 2 }]);
  wanted(1, 7);
  assert.deepEqual([closed, said.at(-1)], [[], { type: "yields", id: 1, ...WHERE, taker: 7 }]);
  settle(true);
  wanted(1, null);
  assert.deepEqual([closed, served, said.length], [["one"], [], 2]);
});

test("serves what does not reach the master", () => {
  const { closed, offer, said, served, settle, wanted } = setScene(2);
  offer("one");
  wanted(1, 7);
  settle(false);
  assert.deepEqual([closed, served, said.at(-1)], [[], ["one"], { type: "keeps", id: 1 }]);
});

test("serves what nobody wants, or not in time, once, and then asks nobody for a while", async () => {
  const { closed, offer, said, served, wanted } = setScene(2);
  offer("unwanted");
  wanted(1, null);
  assert.deepEqual([served, said.at(-1)], [["unwanted"], { type: "keeps", id: 1 }]);
  offer("late");
  await until("it is served here", () => served.includes("late"));
  wanted(2, 7);
  assert.deepEqual([closed, served.length, said.at(-1)], [[], 2, { type: "keeps", id: 2 }]);
  assert.equal(offer("at once"), false);
});

test("offers one at a time, none behind a handle on its way, and no more than so many in a while", () => {
  const { offer, setFree, wanted } = setScene(2);
  setFree(false);
  assert.equal(offer("behind a handle"), false);
  setFree(true);
  assert.deepEqual([offer("1"), offer("beside it")], [true, false]);
  let offered = 1;
  for (; offered < 1_000; offered++) {
    wanted(offered, null);
    if (!offer("another")) break;
  }
  assert.equal(offered, 100);
});

test("wants one where it has fewer, the app listens and its server takes more", () => {
  const { group, said, server, spared } = setScene(3);
  server.maxConnections = 6;
  spared(1, 4);
  spared(2, 3);
  server.maxConnections = 5;
  spared(3, 9);
  server.maxConnections = 6;
  group.isOpen = false;
  spared(4, 9);
  assert.deepEqual(
    said.map((message) => message.type === "wants" && message.isWanted),
    [true, false, false, false],
  );
});

test("serves what it has on offer when it drains or its server closes, and offers and wants nothing in a drain", () => {
  const { offer, recall, said, served, spared, spares } = setScene(1);
  offer("closing");
  recall({});
  assert.deepEqual(served, [], "it was another server");
  recall();
  assert.deepEqual(served, ["closing"]);
  offer("draining");
  spares.end();
  assert.deepEqual(served, ["closing", "draining"]);
  assert.equal(offer("later"), false);
  spared(6, 3);
  assert.deepEqual(said.at(-1), { type: "wants", id: 6, isWanted: false, count: 1 });
});

test("leaves what the app throws to the process, not to whoever closes the server", (t) => {
  const { offer, recall, served } = setScene(1);
  const later: (() => void)[] = [];
  t.mock.method(globalThis, "queueMicrotask", (run: () => void) => later.push(run));
  offer("throws");
  recall();
  assert.deepEqual(served, ["throws"]);
  assert.throws(() => later[0]?.(), { message: "the app's" });
});
