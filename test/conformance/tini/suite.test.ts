// Rollcall by the tests of tini, dumb-init and catatonit: as PID 1, below each of them, and as a subreaper. How those themselves do is in
// docs/conformance.md, written by the same cases.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { hasKoffi } from "../../../src/system/libc.ts";
import { noTerminal } from "../../helpers/terminal.ts";
import { CASES, type Case } from "./cases.ts";
import { missing, type Running, SUBJECTS, type Subject, start } from "./subjects.ts";

describe("conformance", { concurrency: 3 }, () => {
  for (const subject of SUBJECTS.filter(({ isRollcall }) => isRollcall)) {
    const skip = missing(subject) || (!hasKoffi() && "koffi is not installed: npm ci");
    const cases = CASES.filter(({ skips }) => skips?.(subject) !== true);

    test(`${subject.name}: without an end between them`, { skip }, async (t) => {
      const running: Running = await start(t, subject);
      for (const each of cases)
        if (each.steady !== undefined) await t.test(each.title, async () => check(each, subject, await each.steady?.(running)));
    });

    for (const each of cases) {
      const { fresh } = each;
      if (fresh === undefined) continue;
      const skipThis = skip || (each.isInTerminal === true && noTerminal());
      test(`${subject.name}: ${each.title}`, { skip: skipThis }, async (t: TestContext) => check(each, subject, await fresh(t, subject)));
    }
  }
});

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

function expectedOf({ expected }: Case, subject: Subject): string {
  return typeof expected === "string" ? expected : expected(subject);
}

function check(each: Case, subject: Subject, seen: string | undefined): void {
  assert.equal(seen, expectedOf(each, subject));
}
