// A flag's value among the words of a command.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flagValueAt } from "../../../src/cli/flag-value.ts";

for (const [words, expected] of [
  [["--file", "a"], { value: "a", length: 2 }],
  [["--file=a=b"], { value: "a=b", length: 1 }],
  [["--file="], { value: "", length: 1 }],
  [["--file"], { value: "", length: 2 }],
  [["--files=a"], null],
  [[], null],
] as const) {
  test(`${words.join(" ") || "nothing"}: ${JSON.stringify(expected)}`, () => assert.deepEqual(flagValueAt(words, 0, "--file"), expected));
}
