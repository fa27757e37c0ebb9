// A connection on its way: to its client's slot, one at a time; on to the next when a worker refuses, dies or stands still; to nobody twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { slotOf } from "../../../src/policy/rendezvous.ts";
import { byClient } from "../../../src/sockets/choice.ts";
import type { HandOver } from "../../../src/sockets/hand-overs.ts";
import { MOST_HELD } from "../../../src/sockets/room.ts";
import { type HandOverScene, PORT, setScene as set } from "../../helpers/hand-over-scene.ts";

const setScene = (lives: number): HandOverScene => set(lives, byClient);

/** So many clients of a slot among so many. */
function clientsOf(slot: number, slots: number, count: number): readonly string[] {
  const all = Array.from({ length: slots }, (_, index) => index);
  return Array.from({ length: 1_000 }, (_, index) => `client ${index}`)
    .filter((client) => slotOf(client, all) === slot)
    .slice(0, count);
}

const [A, B, C] = clientsOf(0, 2, 3) as [string, string, string];
const [OTHER] = clientsOf(1, 2, 1) as [string];

test("sends a worker one at a time, in order, and closes the master's copy of what is taken", () => {
  const { handOvers, sentTo, give } = setScene(2);
  const [first, second] = [give(A), give(B)];
  give(OTHER);
  assert.deepEqual(
    [sentTo(1), sentTo(2)].map((each) => each.map(({ client }) => client)),
    [[A], [OTHER]],
  );
  handOvers.onAnswer(1, sentTo(1)[0]?.id ?? 0, "taken");
  assert.deepEqual([first.closed, second.closed], [true, false]);
  assert.equal(sentTo(1)[1]?.client, B);
});

test("takes a refused one to the next, and ends it when all have refused", () => {
  const { handOvers, sentTo, give } = setScene(2);
  const handle = give(A);
  handOvers.onAnswer(1, sentTo(1)[0]?.id ?? 0, "refused");
  assert.equal(sentTo(2)[0]?.client, A);
  handOvers.onAnswer(2, sentTo(2)[0]?.id ?? 0, "refused");
  assert.equal(handle.closed, true);
});

test("gives one that came too late to the same worker again, with more time", () => {
  const { handOvers, sentTo, give } = setScene(1);
  give(A);
  const allowed = ({ expiresAt }: HandOver): number => expiresAt - Number(process.hrtime.bigint()) / 1e6;
  const first = allowed(sentTo(1)[0] as HandOver);
  handOvers.onAnswer(1, sentTo(1)[0]?.id ?? 0, "late");
  assert.equal(sentTo(1).length, 2);
  assert.ok(allowed(sentTo(1)[1] as HandOver) > first);
});

test("takes all that a worker has not taken to others when it ends, and nothing that it has", () => {
  const { handOvers, sentTo, give, remove } = setScene(2);
  for (const client of [A, B, C]) give(client);
  handOvers.onAnswer(1, sentTo(1)[0]?.id ?? 0, "taken");
  remove(1);
  handOvers.onGone(1);
  assert.equal(sentTo(2)[0]?.client, B);
  handOvers.onAnswer(2, sentTo(2)[0]?.id ?? 0, "taken");
  assert.equal(sentTo(2)[1]?.client, C);
});

test("takes what waits for a worker that stands still to others, until it answers", async () => {
  const { handOvers, sentTo, give, elapse } = setScene(2);
  for (const client of [A, B]) give(client);
  await elapse();
  assert.equal(sentTo(2)[0]?.client, A);
  assert.equal(sentTo(1).length, 1, "nothing more for it");
  give(C);
  assert.equal(sentTo(1).length, 1);
  handOvers.onAnswer(1, sentTo(1)[0]?.id ?? 0, "late");
  assert.equal(sentTo(2).length, 1, "what others have been given stays with them");
  give(A);
  assert.equal(sentTo(1).length, 2, "it is there again");
});

test("an answer that comes in the last moment counts", async () => {
  const { handOvers, sentTo, give, elapse } = setScene(2);
  const handle = give(A);
  const elapsed = elapse();
  handOvers.onAnswer(1, sentTo(1)[0]?.id ?? 0, "taken");
  await elapsed;
  assert.equal(handle.closed, true);
  assert.deepEqual(sentTo(2), []);
});

test("keeps what nobody can take now for whoever comes", async () => {
  const { handOvers, sentTo, give, elapse } = setScene(1);
  const handle = give(A);
  await elapse();
  assert.equal(handle.closed, false, "the only one may come back");
  handOvers.onAnswer(1, sentTo(1)[0]?.id ?? 0, "late");
  assert.equal(sentTo(1).length, 2);
  handOvers.drop(null);
  assert.equal(handle.closed, false, "it is on its way");
});

test("ends what waits for nobody where a port is left", () => {
  const { handOvers, give, remove } = setScene(1);
  remove(1);
  const handle = give(A);
  handOvers.drop({ port: PORT + 1, host: null });
  assert.equal(handle.closed, false);
  handOvers.drop({ port: PORT, host: null });
  assert.equal(handle.closed, true);
});

test("takes one to others that Node says has missed its worker, if it was that one", () => {
  const { handOvers, sentTo, give, setAlone } = setScene(2);
  give(A);
  handOvers.onMissed(1);
  assert.equal(sentTo(2)[0]?.client, A);
  setAlone(false);
  give(B);
  handOvers.onMissed(1);
  assert.equal(sentTo(2).length, 1, "it may have been another handle");
});

test("takes nothing to a worker whose channel is closed", () => {
  const { handOvers, sentTo, give, disconnect, remove } = setScene(2);
  disconnect(1);
  give(A);
  assert.equal(sentTo(2)[0]?.client, A);
  disconnect(2);
  const waiting = give(B);
  assert.equal(waiting.closed, false);
  remove(1);
  handOvers.onGone(1);
  assert.equal(waiting.closed, false, "whoever replaces them gets it");
});

test("leaves one that is cut off what it was sent, and takes what still waits to others", async () => {
  const { handOvers, sentTo, give, remove, elapse } = setScene(2);
  const [sent, waiting] = [give(A), give(B)];
  remove(1);
  handOvers.onCutOff(1);
  assert.deepEqual([sent.closed, waiting.closed], [true, false]);
  await elapse();
  handOvers.onGone(1);
  assert.deepEqual(
    sentTo(2).map(({ client }) => client),
    [B],
  );
});

test("takes what waits for a worker that leaves to others, and not what is on its way", () => {
  const { handOvers, sentTo, give, remove } = setScene(2);
  for (const client of [A, B, C]) give(client);
  remove(1);
  handOvers.leave(1);
  handOvers.onAnswer(2, sentTo(2)[0]?.id ?? 0, "taken");
  assert.deepEqual(
    [1, 2].map((life) => sentTo(life).map(({ client }) => client)),
    [[A], [B, C]],
  );
});

test("holds a refusal against nobody who has closed its server, and may open it again", () => {
  const { handOvers, sentTo, give, setOpen } = setScene(1);
  const handle = give(A);
  setOpen(1, false);
  handOvers.onAnswer(1, sentTo(1)[0]?.id ?? 0, "refused");
  assert.equal(handle.closed, false);
  setOpen(1, true);
  handOvers.retry();
  assert.equal(sentTo(1).length, 2);
  handOvers.onAnswer(1, sentTo(1)[1]?.id ?? 0, "refused");
  assert.equal(handle.closed, true, "whoever is open and refuses is not asked again");
});

test("a port that nobody serves takes no room from the others, and what is beyond it is counted and told of once", () => {
  const { handOvers, sentTo, give, setOpen, crowded } = setScene(1);
  setOpen(1, false);
  const handles = Array.from({ length: MOST_HELD + 2 }, () => give(A, PORT));
  assert.equal(handles.filter(({ closed }) => closed).length, 2);
  assert.deepEqual(crowded, [PORT]);
  assert.deepEqual([handOvers.heldOn(PORT), handOvers.heldOn(PORT + 1)], [MOST_HELD, 0]);
  assert.equal(give(A, PORT + 1).closed, false);
  assert.equal(handOvers.heldOn(PORT + 1), 1);
  handOvers.drop({ port: PORT, host: null });
  assert.deepEqual(handOvers.dropped, { full: 2, untaken: MOST_HELD, gone: 0 });
  setOpen(1, true);
  handOvers.retry();
  assert.equal(sentTo(1)[0]?.port, PORT + 1);
});

test("believes no answer to what somebody else was sent", () => {
  const { handOvers, sentTo, give } = setScene(2);
  const handle = give(A);
  give(OTHER);
  handOvers.onAnswer(2, sentTo(1)[0]?.id ?? 0, "taken");
  assert.equal(handle.closed, false);
});
