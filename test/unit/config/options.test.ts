// The table of options agrees with itself.

import assert from "node:assert/strict";
import { test } from "node:test";

import { camelNameOf, defaultText, envNameOf, formatValue, OPTION_LIST, optionNamed } from "../../../src/config/option-list.ts";

test("names every option once, in kebab-case", () => {
  const names = OPTION_LIST.map((option) => option.name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z]+(-[a-z]+)*$/);
});

test("reads its own defaults back from how it shows them", () => {
  for (const option of OPTION_LIST) {
    for (const value of [option.default, option.inKubernetes, option.onTerminal]) {
      const isEmpty = value === undefined || value === null || (typeof value === "object" && Object.keys(value).length === 0);
      if (!isEmpty) assert.deepEqual(option.kind.parse(formatValue(option, value)), { ok: true, value }, option.name);
    }
  }
});

test("derives the names of each source and the words for the default", () => {
  const option = optionNamed("stop-timeout");
  assert.ok(option !== undefined);
  assert.equal(envNameOf(option), "ROLLCALL_STOP_TIMEOUT");
  assert.equal(camelNameOf(option), "stopTimeout");
  assert.equal(defaultText(option), "25s in Kubernetes, 9s elsewhere");
});
