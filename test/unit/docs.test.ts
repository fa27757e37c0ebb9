// The generated pages are what the code generates.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { CONFIGURATION_PAGE, configurationPage, METRICS_PAGE, metricsPage } from "../../scripts/write-docs.ts";

const PAGES = [
  { name: "docs/configuration.md", path: CONFIGURATION_PAGE, generate: configurationPage, source: "src/config/options.ts" },
  { name: "docs/metrics.md", path: METRICS_PAGE, generate: metricsPage, source: "src/master/metrics.ts" },
];

for (const { name, path, generate, source } of PAGES) {
  test(`keeps ${name} true to ${source}`, async () => {
    const page = await readFile(path, "utf8");
    assert.ok(page === generate(), `${name} differs from ${source}; regenerate it: node scripts/write-docs.ts`);
  });
}
