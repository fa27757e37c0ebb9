// The docs page is what the table of options generates.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { CONFIGURATION_PAGE, configurationPage } from "../../../scripts/write-docs.ts";

test("keeps docs/configuration.md true to the table of options", async () => {
  const page = await readFile(CONFIGURATION_PAGE, "utf8");
  assert.ok(
    page === configurationPage(),
    "docs/configuration.md differs from src/config/options.ts; regenerate it: node scripts/write-docs.ts",
  );
});
