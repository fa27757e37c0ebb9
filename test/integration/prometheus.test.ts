// A real Prometheus scrapes a real service and answers queries about it. Skipped where there is no prometheus.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { kill } from "../helpers/processes.ts";
import { startService } from "../helpers/service.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

const isMissing = spawnSync("prometheus", ["--version"]).error !== undefined;

test("a real Prometheus has the target up and answers for processes and restarts", {
  skip: isMissing ? "prometheus is not installed" : false,
}, async (t) => {
  const service = await startService(t, { app: "http.mjs", agent: "agent.mjs", workers: 2, flags: ["--stop-timeout", "4s"] });
  await service.untilReady();
  const query = await startPrometheus(t, service.metricsPort);

  const answers = (what: string, expected: readonly (readonly [string, number])[]): Promise<unknown> =>
    until(`${what} is ${JSON.stringify(expected)}`, async () => {
      const got = (await query(what)).map(({ metric, value }) => [metric.role ?? "", Number(value[1])]);
      assert.deepEqual(
        got.sort(([a], [b]) => String(a).localeCompare(String(b))),
        expected,
      );
      return true;
    });
  await answers("up", [["", 1]]);
  const ready = 'rollcall_processes{state="ready"}';
  await answers(ready, [
    ["agent", 1],
    ["worker", 2],
  ]);
  await answers("rollcall_ready", [["", 1]]);
  const restarts = "sum by (role) (rollcall_process_restarts_total)";
  await answers(restarts, [
    ["agent", 0],
    ["worker", 0],
  ]);
  kill((await service.workerPids())[0] as number);
  await answers(restarts, [
    ["agent", 0],
    ["worker", 1],
  ]);
  await answers(ready, [
    ["agent", 1],
    ["worker", 2],
  ]);
  await answers('increase(rollcall_process_exits_total{outcome="killed"}[5m]) > bool 0', [
    ["agent", 0],
    ["worker", 1],
  ]);
  await answers("count(rollcall_event_loop_utilization_ratio) by (role)", [
    ["agent", 1],
    ["worker", 2],
  ]);
});

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** Starts a Prometheus with this one target; the test's end takes it and its data away. */
async function startPrometheus(t: TestContext, target: number): Promise<(what: string) => Promise<readonly Sample[]>> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-prometheus-"));
  const port = await freePort();
  const scrape = [{ job_name: "rollcall", static_configs: [{ targets: [`127.0.0.1:${target}`] }] }];
  const config = { global: { scrape_interval: "500ms", scrape_timeout: "500ms" }, scrape_configs: scrape };
  // YAML takes JSON.
  writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config));
  const flags = [`--config.file=${join(folder, "prometheus.yml")}`, `--storage.tsdb.path=${join(folder, "data")}`];
  const child = spawn("prometheus", [...flags, `--web.listen-address=127.0.0.1:${port}`], { cwd: folder, stdio: "ignore" });
  const ended = new Promise((resolve) => child.once("close", resolve));
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(DEADLINE_MS) });
  await until("Prometheus is ready", async () => (await get("/-/ready")).status === 200, DEADLINE_MS * 2);
  return async (what) => {
    const answer = (await (await get(`/api/v1/query?query=${encodeURIComponent(what)}`)).json()) as { data?: { result?: Sample[] } };
    assert.ok(answer.data?.result, `a result for ${what}: ${JSON.stringify(answer)}`);
    return answer.data.result;
  };
}
