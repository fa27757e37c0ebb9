// Rollcall by the tests of tini, dumb-init and catatonit: one subject in a file of its own, so that no file takes long.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { hasKoffi } from "../../../src/system/libc.ts";
import { noTerminal } from "../../helpers/terminal.ts";
import { CASES, type Case } from "./cases.ts";
import { missing, type Running, SUBJECTS, type Subject, start } from "./subjects.ts";

export function examine(name: string): void {
  const subject = SUBJECTS.find((each) => each.name === name) as Subject;
  const skip = missing(subject) || (!hasKoffi() && "koffi is not installed: npm ci");
  const cases = CASES.filter(({ skips }) => skips?.(subject) !== true);

  describe(name, { concurrency: 2, skip }, () => {
    test("without an end between them", async (t) => {
      const running: Running = await start(t, subject);
      for (const each of cases)
        if (each.steady !== undefined) await t.test(each.title, async () => check(each, subject, await each.steady?.(running)));
    });

    for (const each of cases) {
      const { fresh } = each;
      if (fresh === undefined) continue;
      const skipThis = each.isInTerminal === true && noTerminal();
      test(each.title, { skip: skipThis }, async (t: TestContext) => check(each, subject, await fresh(t, subject)));
    }
  });
}

export function expectedOf({ expected }: Case, subject: Subject): string {
  return typeof expected === "string" ? expected : expected(subject);
}

function check(each: Case, subject: Subject, seen: string | undefined): void {
  assert.equal(seen, expectedOf(each, subject));
}
