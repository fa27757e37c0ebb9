// One test for each case of the list: it is held by tests that there are, or there is a reason why not. That docs/egg-cluster.md is what the list says is
// held by test/unit/docs.test.ts.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LIST } from "./list/page.ts";
import { problemsOf } from "./list/search.ts";

const SRC = fileURLToPath(new URL("../../../src/", import.meta.url));

for (const { title, rows } of LIST) {
  describe(title, () => {
    for (const row of rows) test(`${row.theirs}: ${row.held}`, () => assert.deepEqual(problemsOf(row), []));
  });
}

test("no case of the list is there twice", () => {
  const cases = LIST.flatMap(({ title, rows }) => rows.map(({ theirs }) => `${title}: ${theirs}`));
  assert.deepEqual(
    cases.filter((each, index) => cases.indexOf(each) !== index),
    [],
  );
});

test("nothing in src/ starts a shell", () => {
  const sources = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const shells = sources.filter((file) =>
    /\bshell:|(?<!\.)\bexec(?:Sync)?\(["'`]|import \{[^}]*\bexec(?:Sync)?\b[^}]*\} from "node:child_process"/.test(
      readFileSync(SRC + file, "utf8"),
    ),
  );
  assert.deepEqual(shells, []);
});
