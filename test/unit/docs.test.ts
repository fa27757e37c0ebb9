// The generated pages are what the code generates, and the tests that docs/egg-cluster.md names are there.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { CONFIGURATION_PAGE, configurationPage, EGG_CLUSTER_PAGE, METRICS_PAGE, metricsPage } from "../../scripts/write-docs.ts";
import { eggClusterPage, LIST } from "../conformance/egg-cluster/list/page.ts";
import { problemsOf } from "../conformance/egg-cluster/list/search.ts";

const PAGES = [
  { name: "docs/configuration.md", path: CONFIGURATION_PAGE, generate: configurationPage, source: "src/config/options.ts" },
  { name: "docs/metrics.md", path: METRICS_PAGE, generate: metricsPage, source: "src/master/metrics/metrics.ts" },
  { name: "docs/egg-cluster.md", path: EGG_CLUSTER_PAGE, generate: eggClusterPage, source: "test/conformance/egg-cluster/list" },
];

for (const { name, path, generate, source } of PAGES) {
  test(`keeps ${name} true to ${source}`, async () => {
    const page = await readFile(path, "utf8");
    assert.ok(page === generate(), `${name} differs from ${source}; regenerate it: node scripts/write-docs.ts`);
  });
}

test("names in docs/egg-cluster.md only tests that there are", () => {
  assert.deepEqual(
    LIST.flatMap(({ rows }) => rows.flatMap(problemsOf)),
    [],
  );
});
