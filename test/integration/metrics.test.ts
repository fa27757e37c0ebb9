// The metrics port from outside: what a scrape holds, that counters outlive the children, and what it never shows.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { request } from "node:http";
import { describe, test } from "node:test";
import { ask, pidOf, steer } from "../fixtures/apps/roll-steering.ts";
import { childrenOf, kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const APP = { app: "roll-steered.mjs", agent: "roll-steered.mjs", workers: 2 } as const;
const FLAGS = ["--backoff-delay", "50ms", "--backoff-limit", "100ms", "--roll-call-period", "10m", "--max-restarts", "1000"];

/** The names that the service promises: a metric that is not in it is a mistake in the one or the other. */
const DOCUMENTED: readonly string[] = `
  rollcall_build_info rollcall_state rollcall_generation rollcall_workers_target rollcall_processes rollcall_process_starts_total
  rollcall_process_exits_total rollcall_process_restarts_total rollcall_boot_duration_seconds rollcall_drain_duration_seconds
  rollcall_roll_call_strikes rollcall_roll_calls_total rollcall_live rollcall_ready rollcall_heartbeat_age_seconds
  rollcall_event_loop_lag_seconds rollcall_event_loop_utilization_ratio rollcall_resident_memory_bytes rollcall_cpu_seconds_total
  rollcall_heap_used_bytes rollcall_heap_limit_bytes
  rollcall_requests_in_flight rollcall_requests_total rollcall_connections_cut_total rollcall_accept_queue_length
  rollcall_connections_dropped_total rollcall_connections_moved_total
  rollcall_reloads_total rollcall_reload_in_progress rollcall_backoff_seconds rollcall_crash_loop rollcall_signals_total
  rollcall_zombies rollcall_orphans_reaped_total rollcall_messages_total rollcall_messages_dropped_total
  rollcall_scrape_missing_workers`
  .trim()
  .split(/\s+/);

describe("metrics", { concurrency: 2 }, () => {
  test("shows only documented names, in a form that promtool takes, with and without an agent", async (t) => {
    for (const options of [APP, { app: APP.app, workers: 1 }]) {
      const service = await startService(t, { ...options, env: steer(t).env, flags: FLAGS });
      await service.untilReady();
      await ask(service);
      const text = await service.metrics();
      const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1] as string);
      const strangers = names.filter((name) => !DOCUMENTED.includes(name) && !/^(process|nodejs)_/.test(name));
      assert.deepEqual(strangers, []);
      const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
      if (checked.error !== undefined) t.diagnostic("promtool is not installed: its check was left out");
      else assert.deepEqual([checked.status, checked.stdout, checked.stderr], [0, "", ""]);
    }
  });

  test("shows every bounded label as 0 from the start", async (t) => {
    const steering = steer(t);
    steering.on("wait", "agent");
    const service = await startService(t, { ...APP, env: steering.env, flags: FLAGS });
    await until(
      "the agent is being started",
      async () => (await service.metric('rollcall_processes{role="agent",state="starting"}')) === 1,
    );
    const text = await service.metrics();
    const booted = 'rollcall_process_starts_total{role="agent",reason="boot"}';
    assert.equal(await service.metric(booted), 1);
    const of = (name: string, ...labels: readonly string[]) => labels.map((label) => `${name}{${label}}`);
    const each = (name: string, label: string, values: readonly string[]) => of(name, ...values.map((value) => `${label}="${value}"`));
    const byRole = (name: string, label: string, values: readonly string[]) =>
      of(name, ...["agent", "worker"].flatMap((role) => values.map((value) => `role="${role}",${label}="${value}"`)));
    const expected = [
      ...byRole("rollcall_process_starts_total", "reason", ["boot", "crash", "reload", "scale", "unresponsive"]),
      ...byRole("rollcall_process_exits_total", "outcome", ["clean", "crash", "boot_failure", "killed", "oom", "unresponsive"]),
      ...each("rollcall_process_restarts_total", "role", ["agent", "worker"]),
      ...each("rollcall_boot_duration_seconds_count", "role", ["agent", "worker"]),
      ...each("rollcall_drain_duration_seconds_count", "role", ["agent", "worker"]),
      ...each("rollcall_roll_calls_total", "result", ["success", "failure"]),
      ...each("rollcall_reloads_total", "result", ["success", "failure"]),
      ...each("rollcall_signals_total", "signal", ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"]),
      ...["rollcall_connections_cut_total", "rollcall_crash_loop", "rollcall_ready", "rollcall_roll_call_strikes"],
    ].filter((sample) => sample !== booted);
    assert.deepEqual(
      expected.map((sample) => [sample, samplesOf(text).get(sample)]),
      expected.map((sample) => [sample, 0]),
    );
    steering.off("wait", "agent");
    await service.untilReady();
    for (const slot of [0, 1]) assert.equal(await service.metric(`rollcall_requests_total{slot="${slot}"}`), 0);
  });

  test("keeps every counter through three rounds of kill -9 of every child, and has no pid in any label", async (t) => {
    const service = await startService(t, { ...APP, env: steer(t).env, flags: FLAGS });
    await service.untilReady();
    const pids = new Set([service.pid]);
    const before = new Map<string, number>();
    const look = async (): Promise<void> => {
      const text = await service.metrics();
      for (const pid of childrenOf(service.pid)) pids.add(pid);
      const samples = samplesOf(text);
      for (const [name, value] of before) assert.ok((samples.get(name) ?? -1) >= value, `${name}: ${value}, then ${samples.get(name)}`);
      for (const name of countersOf(text)) before.set(name, samples.get(name) as number);
      // The bounds of histograms are small numbers, as the pids of a container are.
      const labels = [...text.matchAll(/(\w+)="([^"]*)"/g)].filter(([, label]) => label !== "le");
      for (const [, label, value] of labels) assert.ok(!pids.has(Number(value)), `${label}="${value}" is a pid`);
    };
    for (let round = 1; round <= 3; round++) {
      const known = await requestsOf(service);
      for (let i = 0; i < 10; i++) await ask(service);
      await until("heartbeats brought the requests", async () => (await requestsOf(service)) === known + 10);
      await look();
      const children = [await pidOf(service, "agent"), ...(await service.workerPids())];
      for (const pid of children) kill(pid);
      await until("everybody is new", async () => {
        await look();
        const { agent } = await service.status();
        const now = [...(await service.workerPids()), ...(agent?.processes ?? []).map((each) => each.pid)];
        return now.length === 3 && agent?.state === "ready" && !now.some((pid) => children.includes(pid as number));
      });
      assert.equal(await service.metric('rollcall_process_exits_total{role="worker",outcome="killed"}'), round * 2);
      assert.equal(await service.metric('rollcall_process_exits_total{role="agent",outcome="killed"}'), round);
    }
    assert.equal(await requestsOf(service), 30);
    for (const name of ['{role="worker",slot="0"}', '{role="worker",slot="1"}', '{role="agent",slot="0"}'])
      assert.ok((before.get(`rollcall_cpu_seconds_total${name}`) ?? 0) > 0, name);
    assert.ok(pids.size >= 10);
  });

  test("never shows an environment value: not in the status, nor the metrics, nor the log", async (t) => {
    const env = { ...steer(t).env, SECRET: "hunter2-inherited", ROLLCALL_ENV: "TOKEN=hunter2-configured" };
    const service = await startService(t, { ...APP, env, flags: FLAGS });
    await service.untilReady();
    service.signal("SIGUSR2");
    await until("the status is in the log", () => service.hasLogged(/^status$/));
    const shown = [JSON.stringify(await service.status()), await service.metrics(), service.output()];
    for (const text of shown) assert.doesNotMatch(text, /hunter2/);
  });

  test("answers GET and HEAD on two paths, 404 and 405 elsewhere, and bad requests without harm", async (t) => {
    const service = await startService(t, { ...APP, env: steer(t).env, flags: FLAGS });
    await service.untilReady();
    const call = (path: string, method = "GET") => answerOf(service.metricsPort, path, method);
    for (const path of ["/metrics", "/status", "/metrics?name[]=x"]) {
      const [got, head] = [await call(path), await call(path, "HEAD")];
      assert.deepEqual([got.status, head.status], [200, 200]);
      assert.ok(got.body.length > 100);
      assert.equal(head.body, "");
      assert.equal(head.type, got.type);
    }
    assert.match((await call("/metrics")).type, /^text\/plain; version=0\.0\.4/);
    assert.match((await call("/status")).type, /^application\/json/);
    for (const path of ["/", "/metrics/", "/%ff", "//metrics", "/../status"]) assert.equal((await call(path)).status, 404, path);
    assert.equal((await call("/nothing", "HEAD")).status, 404);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const refused = await call("/metrics", method);
      assert.deepEqual([refused.status, refused.allow], [405, "GET, HEAD"]);
    }
    assert.equal((await call("/metrics")).status, 200);
  });
});

function samplesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

/** The samples that may never fall: counters, and the counts and sums of histograms. */
function countersOf(text: string): readonly string[] {
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].map((match) => [match[1] as string, match[2] as string]));
  return [...samplesOf(text).keys()].filter((sample) => {
    const name = sample.replace(/\{.*/, "");
    return types.get(name) === "counter" || types.get(name.replace(/_(bucket|sum|count)$/, "")) === "histogram";
  });
}

async function requestsOf(service: Service): Promise<number> {
  const samples = [...samplesOf(await service.metrics())].filter(([name]) => name.startsWith("rollcall_requests_total{"));
  return samples.reduce((sum, [, value]) => sum + value, 0);
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly allow: string | undefined;
  readonly body: string;
}

/** By node:http, which sends a path as it is given. */
function answerOf(port: number, path: string, method: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, agent: false, timeout: 10_000 }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => {
        const { "content-type": type = "", allow } = response.headers;
        resolve({ status: response.statusCode ?? 0, type, allow, body });
      });
    });
    sent.on("error", reject).on("timeout", () => sent.destroy(new Error("no answer in time")));
    sent.end();
  });
}
