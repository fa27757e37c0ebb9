// "Did you mean": near names are named, far ones are not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { didYouMean, suggest } from "../../../src/config/suggest.ts";

test("finds the nearest name", () => {
  const names = ["workers", "port", "stop-timeout", "boot-timeout"];
  for (const [word, best] of [
    ["worker", "workers"],
    ["wrokers", "workers"],
    ["Workers", "workers"],
    ["prot", "port"],
    ["stoptimeout", "stop-timeout"],
    ["boottimeout", "boot-timeout"],
  ] as const) {
    assert.equal(suggest(word, names), best);
  }
});

test("stays silent when nothing is near", () => {
  for (const word of ["", "x", "concurrency", "zzzz"]) assert.equal(suggest(word, ["workers", "port"]), null, word);
  assert.equal(didYouMean("concurrency", ["workers"]), "");
  assert.equal(didYouMean("worker", ["workers"]), '; did you mean "workers"?');
});
