// docker-compose.yml as a user starts it: the service and a real Prometheus that has it as a target.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { until } from "../helpers/until.ts";
import { BUILD_MS, type Output, run, skip, uniqueName, useImage, watch } from "./helpers.ts";

describe("docker-compose.yml", { skip }, () => {
  const image = useImage();
  const project = uniqueName();
  let command: readonly string[] = [];
  let env: NodeJS.ProcessEnv = {};
  let prometheus = "";

  before(
    async () => {
      command = (await succeeds("docker", "compose", "version")) ? ["docker", "compose"] : ["docker-compose"];
      assert.ok(
        await succeeds(command[0] as string, ...command.slice(1), "version"),
        "expected Compose v2 (docker compose) or docker-compose 1.29; found neither",
      );
      const [http, probes, metrics, prom] = [await freePort(), await freePort(), await freePort(), await freePort()].map(String);
      prometheus = `http://127.0.0.1:${prom}`;
      env = { ...process.env, ROLLCALL_IMAGE: image, HTTP_PORT: http, PROBES_PORT: probes, METRICS_PORT: metrics, PROMETHEUS_PORT: prom };
      await compose("up", "--build", "--detach");
    },
    { timeout: BUILD_MS },
  );
  after(async () => {
    if (command.length > 0) await compose("down", "--volumes", "--remove-orphans", "--timeout", "30");
  });

  it("comes up: the service is ready, and its control socket's place is writable", async () => {
    const app = watch((await compose("ps", "--quiet", "app")).stdout.trim());
    await app.untilReady();
    assert.match(await (await app.get(3000, "/")).text(), /^hello from slot /);
    assert.equal((await app.status()).pid, 1);
    assert.match((await compose("exec", "-T", "app", "rollcall", "health", "ready")).stdout, /^ready: 200/);
    await compose("exec", "-T", "app", "sh", "-c", "touch /tmp/probe && ! touch /app/probe 2>/dev/null");
  });

  it("gives Prometheus a target that is up, and answers to its queries", async () => {
    await until("the target is up", async () => (await query('up{job="rollcall"}'))[0] === 1, 60_000);
    const [ready] = await query('rollcall_processes{job="rollcall",role="worker",state="ready"}');
    const [target] = await query("rollcall_workers_target");
    assert.ok(ready !== undefined && ready >= 1);
    assert.equal(ready, target);
    assert.deepEqual(await query('rollcall_process_restarts_total{role="worker"}'), [0]);
    const { data } = (await ask("/api/v1/targets?state=active")) as {
      data: { activeTargets: readonly { health: string; lastError: string }[] };
    };
    assert.deepEqual(
      data.activeTargets.map(({ health, lastError }) => [health, lastError]),
      [["up", ""]],
    );
  });

  it("stops the service with 0, within its grace period", async () => {
    const app = watch((await compose("ps", "--quiet", "app")).stdout.trim());
    const startedAt = performance.now();
    await compose("stop", "app");
    assert.equal(await app.exited(), 0, await app.logs());
    assert.ok(performance.now() - startedAt < 30_000);
  });

  async function compose(...args: readonly string[]): Promise<Output> {
    const [program = "", ...first] = command;
    const output = await run(program, [...first, "--project-name", project, ...args], { env, deadlineMs: BUILD_MS });
    assert.equal(output.code, 0, `compose ${args.join(" ")}:\n${output.stdout}${output.stderr}`);
    return output;
  }

  async function query(promql: string): Promise<readonly number[]> {
    const { data } = (await ask(`/api/v1/query?query=${encodeURIComponent(promql)}`)) as {
      data: { result: readonly { value: [number, string] }[] };
    };
    return data.result.map(({ value }) => Number(value[1]));
  }

  async function ask(path: string): Promise<unknown> {
    return (await fetch(prometheus + path, { headers: { connection: "close" }, signal: AbortSignal.timeout(10_000) })).json();
  }
});

async function succeeds(program: string, ...args: readonly string[]): Promise<boolean> {
  return run(program, args).then(
    ({ code }) => code === 0,
    () => false,
  );
}
