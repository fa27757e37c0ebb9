// The words behind a command to a running service.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readClientArguments } from "../../../src/cli/client-arguments.ts";

function problemsOf(...input: Parameters<typeof readClientArguments>): readonly string[] {
  const read = readClientArguments(...input);
  return read.ok ? [] : read.problems;
}

test("reads the socket, the form, own flags and the operand, in any order", () => {
  assert.deepEqual(readClientArguments("reload", ["--agent", "--json", "--control", "a.sock"], ["--agent"], null), {
    ok: true,
    value: { control: "a.sock", json: true, flags: new Set(["--agent"]), operand: null },
  });
  assert.deepEqual(readClientArguments("scale", ["-2", "--control=b.sock"], [], "a number"), {
    ok: true,
    value: { control: "b.sock", json: false, flags: new Set(), operand: "-2" },
  });
});

test("says everything that is wrong at once", () => {
  assert.deepEqual(problemsOf("reload", ["--agnet", "now", "--control"], ["--agent"], null), [
    'reload: unknown option --agnet; did you mean "--agent"?',
    "--control: expected the path of a socket",
    'reload: unexpected "now"',
  ]);
  assert.deepEqual(problemsOf("scale", [], [], "a number"), ["scale: expected a number"]);
  assert.deepEqual(problemsOf("scale", ["1", "2"], [], "a number"), ['scale: unexpected "2"']);
  assert.deepEqual(problemsOf("stop", ["--agent"], ["--fast"], null).length, 1);
});
