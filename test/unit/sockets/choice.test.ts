// Whom a connection is for, while a slot has two workers: a successor on trial and the one that it is to replace.
import assert from "node:assert/strict";
import { test } from "node:test";
import { slotOf } from "../../../src/policy/rendezvous.ts";
import { byClient, type Candidate, inTurn } from "../../../src/sockets/choice.ts";

const OLD: Candidate = { life: 1, slot: 0 };
const NEIGHBOUR: Candidate = { life: 2, slot: 1 };
const ON_TRIAL: Candidate = { life: 3, slot: 0 };
const CLIENTS = Array.from({ length: 100 }, (_, index) => `client ${index}`);

test("by client: the slot is the same, and of its workers it is the newest one", () => {
  for (const candidates of [
    [OLD, ON_TRIAL, NEIGHBOUR],
    [NEIGHBOUR, ON_TRIAL, OLD],
  ])
    for (const client of CLIENTS) {
      const expected = slotOf(client, [0, 1]) === 0 ? ON_TRIAL : NEIGHBOUR;
      assert.equal(byClient.choose(client, -1, candidates), expected);
    }
});

test("in turn: every worker has its turn", () => {
  let last = -1;
  const lives = CLIENTS.slice(0, 6).map((client) => {
    last = inTurn.choose(client, last, [NEIGHBOUR, ON_TRIAL, OLD])?.life ?? -1;
    return last;
  });
  assert.deepEqual(lives, [1, 2, 3, 1, 2, 3]);
});
