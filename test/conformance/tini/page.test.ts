// docs/conformance.md is written by scripts/conformance.ts; what it shows for Rollcall is what the cases expect.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CASES } from "./cases.ts";
import { expectedOf } from "./examine.ts";
import { SUBJECTS } from "./subjects.ts";

test("docs/conformance.md shows for Rollcall what is expected here, in each case", () => {
  const lines = readFileSync(new URL("../../../docs/conformance.md", import.meta.url), "utf8").split("\n");
  const tables = lines.flatMap((line, index) =>
    line.startsWith("|  | Rollcall") ? [{ head: cellsOf(line), rows: lines.slice(index + 2) }] : [],
  );
  const subjects = SUBJECTS.filter(({ isRollcall }) => isRollcall);
  for (const subject of subjects) {
    const table = tables.find(({ head }) => head.includes(subject.name));
    for (const each of CASES) {
      if (each.skips?.(subject) === true) continue;
      const row = table?.rows.map(cellsOf).find(([title]) => title === each.title);
      assert.equal(row?.[table?.head.indexOf(subject.name) ?? -1], expectedOf(each, subject), `${subject.name}: ${each.title}`);
    }
  }
});

function cellsOf(line: string): readonly string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}
