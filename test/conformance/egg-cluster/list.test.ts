// One test for each case of the list: it is held by tests that there are, or there is a reason why not. And docs/egg-cluster.md is what the list says.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { EGG_CLUSTER_PAGE } from "../../../scripts/write-docs.ts";
import { eggClusterPage, LIST } from "./list/page.ts";
import type { Holder } from "./list/row.ts";

const pathOf = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

for (const { title, rows } of LIST) {
  describe(title, () => {
    for (const { theirs, held, why, by } of rows) {
      test(`${theirs}: ${held}`, () => {
        assert.ok(held === "same" ? why === "" && by.length > 0 : why.length > 0, "what is different has a reason");
        assert.equal(by.length > 0, held !== "not ours", "what is ours is held by a test");
        for (const holder of by) assert.ok(isThere(holder), `there is no test "${holder.title}" in test/${holder.file}`);
      });
    }
  });
}

test("no case of the list is there twice", () => {
  const cases = LIST.flatMap(({ title, rows }) => rows.map(({ theirs }) => `${title}: ${theirs}`));
  assert.deepEqual(
    cases.filter((each, index) => cases.indexOf(each) !== index),
    [],
  );
});

test("docs/egg-cluster.md is what the list says", () => {
  assert.ok(readFileSync(EGG_CLUSTER_PAGE, "utf8") === eggClusterPage(), "regenerate it: npm run docs");
});

test("nothing in src/ starts a shell", () => {
  const sources = readdirSync(pathOf("../src"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const shells = sources.filter((file) =>
    /\bshell:|\bexec(?:Sync)?\(["'`]|import \{[^}]*\bexec(?:Sync)?\b[^}]*\} from "node:child_process"/.test(
      readFileSync(pathOf(`../src/${file}`), "utf8"),
    ),
  );
  assert.deepEqual(shells, []);
});

/** As the title of a test, or as the first word of a row of a table of titles. */
function isThere({ file, title }: Holder): boolean {
  const quoted = [JSON.stringify(title), `'${title}'`, `\`${title}\``].map((each) => each.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const before = String.raw`(?:\b(?:test|it|describe)\(|\[|\b(?:what|name|title):)\s*`;
  return new RegExp(`${before}(?:${quoted.join("|")})`).test(readFileSync(pathOf(file), "utf8"));
}
