// Where there is no room for more: who comes then, whose place is taken by one that has gone, and who is left alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { byClient, inTurn } from "../../../src/sockets/choice.ts";
import { type Handle, type HandOverScene, PORT, setScene } from "../../helpers/hand-over-scene.ts";

/** Of 40 one port gets 30. */
const MOST = 40;
const OF_ONE = 30;

const giveAll = ({ give }: HandOverScene, count: number, port?: number): readonly Handle[] =>
  Array.from({ length: count }, (_, index) => give(`client ${index}`, port));
const openOf = (handles: readonly Handle[]): number => handles.filter(({ closed }) => !closed).length;

test("holds no more than there is room for, and something is left for another port", () => {
  const scene = setScene(0, inTurn, MOST);
  assert.equal(openOf(giveAll(scene, 100)), OF_ONE);
  assert.deepEqual([scene.crowded, scene.handOvers.dropped.full], [[PORT], 70]);
  assert.ok(openOf(giveAll(scene, 100, PORT + 1)) > 0);
  scene.handOvers.drop(null);
  assert.equal(openOf(giveAll(scene, 100)), OF_ONE, "all of it was given back");
});

test("says again that it is full when half of it had gone meanwhile", async () => {
  const scene = setScene(0, inTurn, MOST);
  const leave = async (handles: readonly Handle[]): Promise<void> => {
    await turn();
    for (const handle of handles) handle.isGone = true;
    await scene.elapse();
  };
  const handles = giveAll(scene, OF_ONE + 1);
  await leave(handles.slice(0, 10));
  const others = giveAll(scene, 11);
  assert.deepEqual(scene.crowded, [PORT]);
  await leave([...handles, ...others].slice(0, 30));
  giveAll(scene, OF_ONE + 1);
  assert.deepEqual(scene.crowded, [PORT, PORT]);
});

test("closes those that have gone as soon as it is full, and looks again while it is", async () => {
  const scene = setScene(0, inTurn, MOST);
  const first = giveAll(scene, OF_ONE - 1);
  for (const handle of first.slice(0, 5)) handle.isGone = true;
  await turn();
  assert.equal(openOf(first), OF_ONE - 1, "nobody is looked at before");
  giveAll(scene, 1);
  await turn();
  assert.deepEqual([openOf(first), scene.handOvers.dropped.gone, scene.handOvers.heldOn(PORT)], [OF_ONE - 6, 5, OF_ONE - 5]);
  giveAll(scene, 5);
  for (const handle of first) handle.isGone = true;
  await turn();
  assert.equal(openOf(first), OF_ONE - 6, "once a second");
  await scene.elapse();
  assert.deepEqual([openOf(first), scene.handOvers.dropped.gone], [0, OF_ONE - 1]);
  assert.equal(openOf(giveAll(scene, 10)), 10);
});

test("goes on looking after somebody was turned away until it is half empty: a crowd that leaves is seldom seen as a whole", async () => {
  const scene = setScene(0, inTurn, MOST);
  const handles = giveAll(scene, OF_ONE + 1);
  await turn();
  for (const [from, to] of [
    [0, 5],
    [5, 10],
    [10, 20],
  ] as const) {
    for (const handle of handles.slice(from, to)) handle.isGone = true;
    await scene.elapse();
    assert.equal(scene.handOvers.dropped.gone, to);
  }
  for (const handle of handles) handle.isGone = true;
  await scene.elapse();
  assert.equal(scene.handOvers.dropped.gone, 20, "who waits for an answer with nothing more to say is left alone again");
});

test("looks also where others have taken the room meanwhile", async () => {
  const scene = setScene(0, inTurn, MOST);
  const [first] = giveAll(scene, 10) as [Handle];
  while (scene.room.hasFor(10)) scene.room.take();
  first.isGone = true;
  assert.equal(openOf(giveAll(scene, 1)), 0);
  await turn();
  assert.equal(first.closed, true);
});

test("looks at a port that is not full for nobody's sake", async () => {
  const scene = setScene(0, inTurn, MOST);
  const [elsewhere] = giveAll(scene, 1, PORT + 1) as [Handle];
  elsewhere.isGone = true;
  const [here] = giveAll(scene, OF_ONE) as [Handle];
  here.isGone = true;
  await turn();
  assert.deepEqual([here.closed, elsewhere.closed], [true, false]);
});

test("closes those that have gone and wait for a worker of their own, and not the one on its way", async () => {
  const scene = setScene(1, byClient, MOST);
  const handles = giveAll(scene, OF_ONE);
  for (const handle of handles) handle.isGone = true;
  await turn();
  assert.deepEqual([openOf(handles), handles[0]?.closed, scene.handOvers.heldOn(PORT)], [1, false, 1]);
  scene.handOvers.onAnswer(1, scene.sentTo(1)[0]?.id ?? 0, "taken");
  assert.deepEqual([scene.sentTo(1).length, scene.handOvers.heldOn(PORT)], [1, 0]);
});
