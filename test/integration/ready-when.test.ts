// When a worker and the agent count as ready: each value of ready-when, and that nothing is ready before its time.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { certificate } from "../helpers/certificate.ts";
import { childrenOf, isAlive } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const QUICK = ["--drain-idle", "100ms"];

for (const declared of [true, false]) {
  test(`listening, ${declared ? "with" : "without"} a declared port: ready once every worker listens`, async (t) => {
    const service = await startService(t, { app: "ready-app.mjs", workers: 2, flags: [...QUICK, "--ready-when", "listening"], declared });
    await service.untilReady();
    assert.equal(await (await fetch(service.url("/"), { headers: { connection: "close" } })).text(), "hello");
    assert.deepEqual((await service.status()).addresses, [`http://localhost:${service.appPort}`]);
    await stopsCleanly(service);
  });
}

for (const app of ["ready-loaded.mjs", "ready-loaded-commonjs.cjs"]) {
  test(`loaded, without a port: ${app} is ready when its module has run, top-level await included`, async (t) => {
    const service = await startService(t, { app, workers: 2, flags: ["--ready-when", "loaded"], declared: false });
    await service.untilReady();
    assert.equal(count(service.output(), "loaded\n"), 2);
    await stopsCleanly(service);
  });
}

test("loaded: a module that loads without end is not ready, and named at the boot timeout", async (t) => {
  const flags = ["--ready-when", "loaded", "--boot-timeout", "1s"];
  const service = await startService(t, { app: "bad-never-loads.mjs", workers: 1, flags, declared: false });
  assert.equal((await service.exited()).code, 3);
  assert.ok(service.hasLogged(/worker 0 was not ready within 1000 ms \(boot-timeout\)/), service.output());
});

describe("an HTTP path", () => {
  test("that answers 503 first is asked again, and ready only when it answers 200", async (t) => {
    const healthy = join(scratch(t), "healthy");
    const flags = [...QUICK, "--ready-when", "/healthz?deep=1"];
    const service = await startService(t, { app: "ready-health.mjs", workers: 2, flags, env: { HEALTHY: healthy } });
    // Each worker is asked for itself, and asked more than once.
    await until("both workers have answered 503 twice", () => count(service.output(), "health 503") >= 4);
    // The probes may open a moment later than that.
    await until("it says that it is not ready", async () => (await service.probe("ready")) === 500);
    assert.equal(await service.probe("live"), 200);
    writeFileSync(healthy, "");
    await service.untilReady();
    assert.equal(count(service.output(), "health 200"), 2);
    await stopsCleanly(service);
  });

  test("that never answers the first time is asked again", async (t) => {
    const service = await startService(t, { app: "ready-health.mjs", workers: 1, flags: [...QUICK, "--ready-when", "/hangs-once"] });
    await service.untilReady();
    await until("nothing is in flight any more", async () => (await service.metric('rollcall_requests_in_flight{slot="0"}')) === 0);
    await stopsCleanly(service);
    assert.ok(!service.hasLogged(/cut/), service.output());
  });

  for (const secure of [false, true])
    test(`is asked by HTTP/2 ${secure ? "over TLS" : "in the clear"} where the server speaks that`, async (t) => {
      const env = secure ? certificate(t) : {};
      const service = await startService(t, { app: "drain-http2.mjs", workers: 1, env, flags: [...QUICK, "--ready-when", "/healthz"] });
      await service.untilReady();
      assert.match(service.output(), /^begun \/healthz$/m);
      await until("nothing is in flight any more", async () => (await service.metric('rollcall_requests_in_flight{slot="0"}')) === 0);
      await stopsCleanly(service);
    });

  test("is asked of the server that listens, where another one has looked whether the port is free", async (t) => {
    const flags = [...QUICK, "--ready-when", "/", "--boot-timeout", "10s"];
    const service = await startService(t, { app: "listen-reopens.mjs", workers: 2, flags });
    await service.untilReady();
    await stopsCleanly(service);
  });

  for (const [what, path, answer] of [
    ["that is not there", "/nowhere", "404"],
    ["that never answers", "/hangs", "no answer within 1000 ms"],
  ] as const) {
    test(`${what} is never ready, and what it answers is said: exit 3 at the boot timeout`, async (t) => {
      const flags = ["--ready-when", path, "--boot-timeout", "3s"];
      const service = await startService(t, { app: "ready-health.mjs", workers: 1, flags, env: { HEALTHY: "/nowhere" } });
      assert.equal((await service.exited()).code, 3);
      assert.ok(service.hasLogged(/worker 0 was not ready within 3000 ms/), service.output());
      const told = service.log().filter(({ msg }) => msg.startsWith("worker 0 is not ready yet"));
      assert.deepEqual(
        told.map(({ msg }) => msg),
        [`worker 0 is not ready yet: no 2xx from its health path (ready-when): ${answer}`],
      );
    });
  }
});

describe("the agent is ready", () => {
  for (const agent of ["ready-agent.mjs", "ready-agent-await.mjs", "ready-agent-commonjs.cjs"]) {
    test(`when its function has resolved and its module loaded, before any worker starts: ${agent}`, async (t) => {
      const service = await startService(t, { app: "ready-app.mjs", agent, workers: 1, flags: QUICK });
      await service.untilReady();
      const output = service.output();
      assert.ok(output.includes("agent ends") && output.indexOf("agent ends") < output.indexOf("app begins"), output);
      assert.equal(count(output, "agent begins"), agent === "ready-agent.mjs" ? 1 : 0, "the function runs once");
      await stopsCleanly(service);
    });
  }

  test("by message, where ready-when is message", async (t) => {
    const service = await startService(t, {
      app: "app-api.mjs",
      agent: "ready-agent.mjs",
      workers: 1,
      flags: [...QUICK, "--ready-when", "message"],
      env: { MODE: "message" },
    });
    await service.untilReady();
    const output = service.output();
    assert.ok(output.indexOf("agent ends") < output.indexOf("agent ready"), output);
    assert.ok(output.indexOf("agent ready") < output.indexOf("worker 0 listens"), output);
    await stopsCleanly(service);
  });

  test("never, when its function rejects: exit 4, no worker was started, and the reason is told", async (t) => {
    const service = await startService(t, { app: "ready-app.mjs", agent: "ready-agent.mjs", env: { MODE: "rejects" } });
    assert.equal((await service.exited()).code, 4);
    assert.ok(!service.output().includes("app begins"));
    assert.ok(
      service.hasLogged(/^agent failed to boot: it exited with code 1 before it was ready \(Error: no database\)$/),
      service.output(),
    );
    assert.match(service.output(), /Error: no database\n +at /);
  });
});

describe("a process that is not ready and has nothing left to do", { concurrency: 3 }, () => {
  for (const [what, env] of [
    ["whose app does nothing", {}],
    ["whose app never loads", { NEVER: "1" }],
  ] as const) {
    test(`${what}, is told of long before the boot timeout; the app sees nothing of that, and a stop ends it`, async (t) => {
      const service = await startService(t, { app: "ready-nothing.mjs", workers: 1, env });
      await until("the log says so", () =>
        service.hasLogged(
          /^worker 0 is not ready and has nothing left to do .*; waiting for it to listen on port \d+ \(ready-when listening\)/,
        ),
      );
      assert.ok(!service.output().includes("the app hears beforeExit"), service.output());
      await stopsCleanly(service);
    });
  }

  for (const mode of ["process", "thread"]) {
    test(`and is an agent in a ${mode}, whose function waits for nothing that comes, is told of as well`, async (t) => {
      const flags = ["--agent-mode", mode];
      const service = await startService(t, { app: "ready-app.mjs", agent: "ready-agent.mjs", flags, env: { MODE: "never" } });
      await until("the log says so", () =>
        service.hasLogged(/^agent is not ready and has nothing left to do .*; waiting for its module to load and its function to resolve/),
      );
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0, service.output());
    });
  }

  for (const waitsFor of ["timer", "thread", "message"]) {
    test(`is not one that waits for a ${waitsFor}`, async (t) => {
      const service = await startService(t, { app: "ready-slow.mjs", workers: 1, flags: QUICK, env: { WAITS_FOR: waitsFor } });
      await service.untilReady();
      assert.ok(!service.hasLogged(/nothing left to do/), service.output());
      await stopsCleanly(service);
    });
  }
});

async function stopsCleanly(service: Service): Promise<void> {
  const children = childrenOf(service.pid);
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
  assert.deepEqual(children.filter(isAlive), []);
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
