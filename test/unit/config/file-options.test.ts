// The type of config files has exactly the keys of the table.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { camelNameOf, OPTION_LIST } from "../../../src/config/option-list.ts";
import { defineConfig } from "../../../src/index.ts";

test("types every option of the table, and nothing else", () => {
  const source = readFileSync(new URL("../../../src/config/file-options.ts", import.meta.url), "utf8");
  const typed = [...source.matchAll(/^ {2}readonly (\w+)\?:/gm)]
    .map((match) => match[1])
    .filter((key) => key !== "backoff" && key !== "https");
  const options = OPTION_LIST.filter((option) => option.key !== "config").map(camelNameOf);
  assert.deepEqual(typed.sort(), options.sort());
});

test("gives back what it types", () => {
  const file = { app: "server.js", workers: "50%", backoff: { delay: "1s" } } as const;
  assert.equal(defineConfig(file), file);
});
