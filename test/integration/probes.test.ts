// The probes port from outside, whatever the app is doing, and `rollcall health` for Docker's HEALTHCHECK.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { steer } from "../fixtures/apps/roll-steering.ts";
import { freePort } from "../helpers/ports.ts";
import { childrenOf } from "../helpers/processes.ts";
import { runRollcall, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const APP = { app: "roll-steered.mjs", agent: "roll-steered.mjs", workers: 2 } as const;
const FLAGS = ["--roll-call-period", "10m", "--drain-idle", "100ms", "--stop-timeout", "6s"];

describe("probes", { concurrency: 2 }, () => {
  test("are live and not ready while the service boots, and ready after it", async (t) => {
    const steering = steer(t);
    steering.on("wait", "agent", 0);
    const service = await startService(t, { ...APP, env: steering.env, flags: FLAGS });
    for (const [who, what] of [
      ["agent", "the agent"],
      [0, "a worker"],
    ] as const) {
      const role = who === "agent" ? "agent" : "worker";
      await until(`${what} is being started`, async () => {
        const states = (await service.status())[role === "agent" ? "agent" : "workers"];
        return JSON.stringify(states).includes('"state":"starting"');
      });
      assert.deepEqual([await service.probe("live"), await service.probe("ready")], [200, 500]);
      steering.off("wait", who);
    }
    await service.untilReady();
    assert.deepEqual([await service.probe("live"), await service.probe("health")], [200, 200]);
  });

  test("answer, as the metrics port does, while every child is blocked and hundreds of idle clients are connected", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { ...APP, env: steering.env, flags: [...FLAGS, "--heartbeat-timeout", "40s"] });
    await service.untilReady();
    steering.on("block", "agent", 0, 1);
    await until("every child is silent", async () => {
      const { agent, workers } = await service.status();
      return [agent, ...workers].every((slot) => (slot?.processes[0]?.heartbeatAgeSeconds ?? 0) > 1.5);
    });
    const idle = [service.probesPort, service.metricsPort].flatMap((port) => Array.from({ length: 200 }, () => connect(port, "127.0.0.1")));
    t.after(() => {
      for (const socket of idle) socket.destroy();
    });
    await Promise.all(idle.map(connected));
    const startedAt = performance.now();
    for (let i = 0; i < 10; i++) {
      const answers = [await service.probe("live"), await service.probe("ready"), await service.probe("health")];
      assert.deepEqual(answers, [200, 200, 200]);
      assert.match(await service.metrics(), /^rollcall_live 1$/m);
    }
    t.diagnostic(`40 answers took ${Math.round(performance.now() - startedAt)} ms`);
    const { agent, workers } = await service.status();
    for (const slot of [agent, ...workers]) assert.ok((slot?.processes[0]?.heartbeatAgeSeconds ?? 0) > 1.5, "they were blocked all along");
    steering.off("block", "agent", 0, 1);
  });

  test("stay live and turn not ready during a graceful stop", async (t) => {
    const service = await startService(t, { ...APP, env: steer(t).env, flags: FLAGS });
    await service.untilReady();
    const slow = fetch(service.url("/slow"), { headers: { connection: "close" } }).then((response) => response.text());
    await until("it is in flight", async () => /requests_in_flight\{slot="\d"\} 1/.test(await service.metrics()));
    service.signal("SIGTERM");
    await until("it is not ready", async () => (await service.probe("ready")) === 500);
    let seen = 0;
    let isGone = false;
    const gone = service.exited().then((exit) => {
      isGone = true;
      return exit;
    });
    while (!isGone) {
      // Refused or cut off is the end of the stop; anything answered must be 200.
      const status = await service.probe("live").catch(() => null);
      if (status === null) break;
      assert.equal(status, 200);
      seen++;
    }
    assert.ok(seen > 0);
    assert.equal(await slow, "slow");
    assert.equal((await gone).code, 0);
  });

  test("rollcall health says with its exit code whether the service is live and ready", async (t) => {
    const steering = steer(t);
    steering.on("wait", 0);
    const service = await startService(t, { ...APP, env: steering.env, flags: FLAGS });
    await until("a worker is being started", async () => (await service.metric('rollcall_processes{role="worker",state="ready"}')) === 1);
    const port = String(service.probesPort);
    const health = async (...args: string[]) => (await runRollcall(t, ["health", ...args])).code;
    assert.deepEqual(await Promise.all([health("live", "--probes-port", port), health("ready", "--probes-port", port)]), [0, 1]);
    steering.off("wait", 0);
    await service.untilReady();
    const byEnvironment = await runRollcall(t, ["health", "ready"], { env: { ROLLCALL_PROBES_PORT: port } });
    assert.equal(byEnvironment.code, 0, byEnvironment.stderr);
    const proxied = { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: "http://127.0.0.1:9" };
    const behindProxy = await runRollcall(t, ["health", "--probes-port", port], { env: proxied });
    assert.equal(behindProxy.code, 0, behindProxy.stderr);
    // Live is the default, and an option's value is not taken for the word.
    assert.deepEqual(await Promise.all([health("--probes-port", port), health("--probes-port", port, "ready")]), [0, 0]);
  });

  test("rollcall health exits 1 where nobody answers, and for a word that it does not know", async (t) => {
    const port = String(await freePort());
    const [nobody, unknown] = await Promise.all([
      runRollcall(t, ["health", "--probes-port", port]),
      runRollcall(t, ["health", "lively", "--probes-port", port]),
    ]);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, new RegExp(`no answer .*port ${port}`));
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /expected live or ready; got "lively"/);
  });

  test("rollcall health is what the kernel takes first where memory runs out, and not the master that it asks", async (t) => {
    let score = "";
    const probes = createServer((_request, response) => {
      const asking = childrenOf(process.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("health"));
      score = readFileSync(`/proc/${asking}/oom_score_adj`, "utf8").trim();
      response.end();
    });
    t.after(() => probes.close());
    await new Promise<void>((listening) => probes.listen(0, "127.0.0.1", listening));
    const { port } = probes.address() as AddressInfo;
    const { code, stderr } = await runRollcall(t, ["health", "--probes-port", String(port)]);
    assert.equal(code, 0, stderr);
    assert.equal(score, "1000");
  });
});

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("error", reject);
    // Later it may be dropped for its silence: that is no failure.
    socket.once("connect", () => socket.removeAllListeners("error").on("error", () => {}));
  });
}
