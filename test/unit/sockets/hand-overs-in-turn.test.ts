// Whose turn it is: the next slot that is free; who has not answered is not; what nobody is free for waits, first come, first served.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurn } from "../../../src/sockets/choice.ts";
import { type Handle, type HandOverScene, PORT, setScene } from "../../helpers/hand-over-scene.ts";

interface Scene extends HandOverScene {
  /** A worker says that it has taken the last of what it was sent. */
  take(life: number): void;
  /** The names of all that a worker was sent. */
  namesOf(life: number): string;
  giveAll(names: string): readonly Handle[];
}

function setTurns(lives: number): Scene {
  const scene = setScene(lives, inTurn);
  return {
    ...scene,
    take: (life) => scene.handOvers.onAnswer(life, scene.sentTo(life).at(-1)?.id ?? 0, "taken"),
    namesOf: (life) => scene.sentTo(life).reduce((names, { client }) => names + client, ""),
    giveAll: (names) => [...names].map((name) => scene.give(name)),
  };
}

test("goes round the slots, whatever order they are told in", () => {
  const { give, take, namesOf } = setTurns(4);
  for (const name of "abcdefghijklmnop") {
    give(name);
    for (let life = 1; life <= 4; life++) take(life);
  }
  assert.deepEqual([1, 2, 3, 4].map(namesOf), ["aeim", "bfjn", "cgko", "dhlp"]);
});

test("each port has its own turn", () => {
  const { give, take, namesOf } = setTurns(2);
  for (const name of "abcd") {
    give(name, PORT);
    for (const life of [1, 2]) take(life);
    give(name.toUpperCase(), PORT + 1);
    for (const life of [1, 2]) take(life);
  }
  assert.deepEqual([1, 2].map(namesOf), ["aAcC", "bBdD"]);
});

test("passes by who has not answered, and keeps what nobody is free for until somebody answers", () => {
  const { giveAll, take, namesOf } = setTurns(3);
  const handles = giveAll("abc");
  for (const life of [2, 3]) take(life);
  giveAll("defgh");
  assert.deepEqual([1, 2, 3].map(namesOf), ["a", "bd", "ce"]);
  take(3);
  take(3);
  take(1);
  assert.deepEqual([1, 2, 3].map(namesOf), ["ah", "bd", "cefg"], "in the order in which they came");
  assert.deepEqual(
    handles.map(({ closed }) => closed),
    [true, true, true],
  );
});

test("one that stands still holds a single connection, loses it ahead of those who wait, and gets nothing more", async () => {
  const { giveAll, take, namesOf, elapse, handOvers, sentTo } = setTurns(2);
  giveAll("abcd");
  take(2);
  assert.deepEqual([1, 2].map(namesOf), ["a", "bc"]);
  const [stuck] = sentTo(1);
  take(2);
  take(2);
  giveAll("e");
  await elapse();
  assert.deepEqual([1, 2].map(namesOf), ["a", "bcde"], "both stand still");
  handOvers.onAnswer(2, sentTo(2).at(-1)?.id ?? 0, "late");
  assert.equal(namesOf(2), "bcdea", "the oldest one first");
  take(2);
  assert.equal(namesOf(2), "bcdeae");
  take(2);
  giveAll("f");
  assert.equal(namesOf(1), "a");
  take(2);
  handOvers.onAnswer(1, stuck?.id ?? 0, "late");
  giveAll("g");
  assert.equal(namesOf(1), "ag", "it is there again");
});

test("what a dead worker had not taken goes to the next, and waits where there is none", () => {
  const { giveAll, remove, handOvers, namesOf, take } = setTurns(2);
  const handles = giveAll("abc");
  remove(1);
  handOvers.onGone(1);
  take(2);
  assert.equal(namesOf(2), "ba");
  remove(2);
  handOvers.onGone(2);
  assert.deepEqual(
    handles.map(({ closed }) => closed),
    [false, true, false],
  );
});

test("a refused one lets those behind it pass, and ends when all have refused it", () => {
  const { giveAll, take, handOvers, sentTo, namesOf } = setTurns(2);
  const [, refused] = giveAll("abcd");
  handOvers.onAnswer(2, sentTo(2)[0]?.id ?? 0, "refused");
  assert.deepEqual([1, 2].map(namesOf), ["a", "bc"], "one is busy, the other one has refused it");
  take(1);
  assert.equal(namesOf(1), "ab");
  handOvers.onAnswer(1, sentTo(1).at(-1)?.id ?? 0, "refused");
  assert.equal(refused?.closed, true);
  assert.equal(namesOf(1), "abd");
});

test("who has no descriptor gets nothing more for a moment; a connection that nobody has one for is kept for a while", async (t) => {
  const { giveAll, handOvers, namesOf, elapse, take } = setTurns(2);
  const [first] = giveAll("a");
  handOvers.onMissed(1);
  assert.equal(namesOf(2), "a");
  giveAll("b");
  assert.equal(namesOf(1), "a");
  handOvers.onMissed(2);
  assert.equal(first?.closed, false);
  await elapse();
  assert.deepEqual([1, 2].map(namesOf), ["aa", "ab"], "both are tried again");
  take(2);
  const now = process.hrtime.bigint();
  t.mock.method(process.hrtime, "bigint", () => now + 11_000_000_000n);
  handOvers.onMissed(1);
  assert.equal(first?.closed, true);
});

test("whoever is free serves the ports in turn, however many wait on one of them", () => {
  const { give, giveAll, take, namesOf } = setTurns(1);
  giveAll("abcd");
  give("A", PORT + 1);
  give("B", PORT + 1);
  for (let taken = 0; taken < 5; taken++) take(1);
  assert.equal(namesOf(1), "abAcBd");
});

test("with the last ones: goes on until nothing waits, and ends what nobody is left for", () => {
  const { give, giveAll, take, namesOf, handOvers, sentTo, remove, setOpen } = setTurns(2);
  setOpen(1, false);
  setOpen(2, false);
  const left = give("x", PORT + 1);
  handOvers.finish();
  assert.equal(left.closed, true);
  setOpen(1, true);
  setOpen(2, true);
  const handles = giveAll("abc");
  assert.deepEqual(
    [1, 2].map((life) => handOvers.isDone(life)),
    [false, false],
  );
  take(1);
  assert.deepEqual([1, 2].map(namesOf), ["ac", "b"]);
  take(2);
  assert.deepEqual(
    [1, 2].map((life) => handOvers.isDone(life)),
    [false, true],
  );
  remove(2);
  handOvers.onAnswer(1, sentTo(1).at(-1)?.id ?? 0, "late");
  assert.equal(namesOf(1), "acc", "it has more time");
  take(1);
  assert.ok(handOvers.isDone(1) && handles.every(({ closed }) => closed));
});
