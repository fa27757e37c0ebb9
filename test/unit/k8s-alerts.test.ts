// Holds the alerts of k8s/monitoring to the metrics that Rollcall exports, and to promtool where it is installed.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";

const FILE = fileURLToPath(new URL("../../k8s/monitoring/prometheusrule.yaml", import.meta.url));

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

const METRICS: ReadonlySet<string> = new Set(
  `build_info state generation workers_target processes process_starts_total process_exits_total process_restarts_total
  roll_call_strikes roll_calls_total live ready heartbeat_age_seconds event_loop_lag_seconds event_loop_utilization_ratio
  resident_memory_bytes cpu_seconds_total requests_in_flight requests_total connections_cut_total connections_dropped_total accept_queue_length
  reloads_total reload_in_progress backoff_seconds crash_loop signals_total zombies orphans_reaped_total messages_total
  messages_dropped_total scrape_missing_workers heap_used_bytes heap_limit_bytes`
    .split(/\s+/)
    .map((name) => `rollcall_${name}`),
);

describe("the alerts", () => {
  const { spec } = parse(readFileSync(FILE, "utf8")) as { spec: { groups: { rules: Rule[] }[] } };
  const rules = spec.groups.flatMap((group) => group.rules);
  const missing = spawnSync("promtool", ["--version"], { timeout: 20_000 }).status === 0 ? false : "no promtool on PATH";

  it("use only metrics that Rollcall exports", () => {
    const unknown = rules.flatMap(({ alert, expr }) =>
      (expr.match(/rollcall_\w+/g) ?? []).filter((metric) => !METRICS.has(metric)).map((metric) => `${alert}: ${metric}`),
    );
    assert.deepEqual(unknown, []);
  });

  it("are accepted by promtool", { skip: missing }, () => {
    const folder = mkdtempSync(join(tmpdir(), "rollcall-k8s-"));
    try {
      const file = join(folder, "rules.yml");
      writeFileSync(file, stringify(spec));
      const { status, stderr } = spawnSync("promtool", ["check", "rules", file], { encoding: "utf8", timeout: 20_000 });
      assert.equal(status, 0, stderr);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
