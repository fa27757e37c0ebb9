// Looks for the tests that the list names.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Holder, Row } from "./row.ts";

/** What is wrong with a row, in words; empty when nothing is. */
export function problemsOf({ held, why, by }: Row): readonly string[] {
  const problems = by.filter((holder) => !isThere(holder)).map(lost);
  if (held === "same" ? why !== "" : why === "") problems.push("what is different needs a reason, and nothing else does");
  if (held === "not ours" ? by.length > 0 : by.length === 0)
    problems.push("what Rollcall has needs a test that holds it, and nothing else does");
  return problems;
}

function lost({ file, title }: Holder): string {
  return `test/${file} has no test "${title}": name where it is now in test/conformance/egg-cluster/list, then npm run docs`;
}

/** As the title of a test, or as the first word of a row of a table of titles. */
function isThere({ file, title }: Holder): boolean {
  const path = fileURLToPath(new URL(`../../../${file}`, import.meta.url));
  const quoted = [JSON.stringify(title), `'${title}'`, `\`${title}\``].map((each) => each.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const before = String.raw`(?:\b(?:test|it|describe)\(|\[|\b(?:what|name|title):)\s*`;
  return existsSync(path) && new RegExp(`${before}(?:${quoted.join("|")})`).test(readFileSync(path, "utf8"));
}
