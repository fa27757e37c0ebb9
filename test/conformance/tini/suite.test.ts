// Rollcall by the tests of tini, dumb-init and catatonit: as PID 1, below each of them, and as a subreaper. How those themselves do is in
// docs/conformance.md, written by the same cases.
import assert from "node:assert/strict";
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

function check({ expected }: Case, subject: Subject, seen: string | undefined): void {
  assert.equal(seen, typeof expected === "string" ? expected : expected(subject));
}
