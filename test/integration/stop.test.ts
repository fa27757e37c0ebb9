// The graceful stop: what is in hand finishes, what hangs is ended within the budget, and the exit code says which. W numbers: known weak
// points of the classic multi-process servers.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { accepts, ask, connect, startLoad } from "../helpers/load.ts";
import { childrenOf, isAlive } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** What a machine under load may add to a budget before the test sees the exit. */
const SLACK_MS = 6_000;

const count = (service: Service, text: string): number => service.output().split(text).length - 1;

/** Stops the service and checks that it ends as it should: in time, with this code, and with nothing left behind. */
async function stopsWith(service: Service, code: number, budgetMs: number): Promise<void> {
  const children = childrenOf(service.pid);
  service.signal("SIGTERM");
  const exit = await service.exited();
  assert.equal(exit.code, code, service.output());
  assert.ok(exit.afterMs < budgetMs + SLACK_MS, `it took ${exit.afterMs} ms of ${budgetMs}`);
  assert.deepEqual(children.filter(isAlive), []);
}

describe("a stop", { concurrency: 2 }, () => {
  test("ends also where the files that the service has made cannot be removed any more", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "rc-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const env = { NODE_OPTIONS: `--require=${fileURLToPath(new URL("../fixtures/keep-files.cjs", import.meta.url))}` };
    const service = await startService(t, { app: "http.mjs", workers: 1, env, flags: ["--pid-file", join(folder, "run.pid")] });
    await service.untilReady();
    await stopsWith(service, 0, 9_000);
    assert.ok(existsSync(join(folder, "run.pid")));
  });

  test("W1: finishes 10 of 10 requests of 2 s, then runs the app's TERM listeners and hooks, then the agent's, and exits 0", async (t) => {
    const service = await startService(t, { app: "stop-hooks.mjs", agent: "stop-agent.mjs", workers: 2 });
    await service.untilReady();
    const answers = Array.from({ length: 10 }, () => ask(service.url("/?ms=2000")));
    await until("10 requests are in flight", () => count(service, "request begins") === 10);
    await stopsWith(service, 0, 9_000);
    assert.deepEqual(
      (await Promise.all(answers)).map(({ status, body }) => `${status} ${body}`),
      Array.from({ length: 10 }, () => "200 done"),
    );
    const lines = service.output().split("\n");
    const pids = new Set(lines.flatMap((line) => /^app (\d+): hook ends/.exec(line)?.[1] ?? []));
    assert.equal(pids.size, 2);
    for (const pid of pids) {
      const lastRequest = lines.lastIndexOf(`app ${pid}: request ends`);
      assert.ok(lines.indexOf(`app ${pid}: TERM listener`) > lastRequest, service.output());
      assert.ok(lines.indexOf(`app ${pid}: hook begins`) > lastRequest, service.output());
      assert.ok(lines.indexOf("agent: hook") > lines.indexOf(`app ${pid}: hook ends`), service.output());
    }
    assert.equal(count(service, "TERM listener"), 2, "once in each worker");
  });

  test("W21: keeps accepting during the drain delay, not ready but live, and only then stops accepting", async (t) => {
    const flags = ["--drain-delay", "6s", "--stop-timeout", "12s", "--drain-idle", "200ms"];
    const service = await startService(t, { app: "http.mjs", workers: 2, flags });
    await service.untilReady();
    const load = startLoad(t, service.url("/"));
    await until("the load runs", () => load.succeeded() > 20);
    service.signal("SIGTERM");
    await until("readiness is false", async () => (await service.probe("ready")) === 500);
    const before = load.succeeded();
    await until("new connections are served", () => load.succeeded() > before + 20);
    assert.equal(await service.probe("live"), 200);
    await load.stop();
    assert.deepEqual(load.failures(), []);
    assert.equal(await accepts(service.appPort), true);
    await until("it no longer accepts", async () => !(await accepts(service.appPort)));
    assert.equal((await service.exited()).code, 0);
  });

  test("W3: SIGKILLs a worker with a blocked event loop at the deadline and exits 8", async (t) => {
    const service = await startService(t, { app: "http.mjs", workers: 1, flags: ["--stop-timeout", "3s"] });
    await service.untilReady();
    ask(service.url("/block?ms=60000")).catch(() => {});
    await until("the worker is blocked", () => service.output().includes("app: blocks"));
    await stopsWith(service, 8, 3_000);
  });

  test("W3: SIGKILLs an agent with a blocked event loop at the deadline, after the workers have ended in order, and exits 8", async (t) => {
    const env = { AGENT_BLOCKS: "1" };
    const flags = ["--stop-timeout", "3s"];
    const service = await startService(t, { app: "stop-hooks.mjs", agent: "stop-agent.mjs", workers: 2, env, flags });
    await service.untilReady();
    await until("the agent is blocked", () => service.output().includes("agent: blocked"));
    await stopsWith(service, 8, 3_000);
    assert.equal(count(service, "hook ends"), 2);
    assert.ok(service.hasLogged(/^agent did not end by its deadline/));
  });

  test("W20: cuts a shutdown hook of 60 s at the deadline, says so, and exits 0", async (t) => {
    const service = await startService(t, {
      app: "stop-hooks.mjs",
      workers: 2,
      env: { HOOK_MS: "60000" },
      flags: ["--stop-timeout", "6s"],
    });
    await service.untilReady();
    await stopsWith(service, 0, 6_000);
    assert.ok(service.hasLogged(/reached its deadline.*shutdown hooks or SIGTERM listeners had not ended/), service.output());
  });

  test("W20: an exception in a draining worker does not buy it more time", async (t) => {
    const env = { HOOK_MS: "60000", HOOK_THROWS: "1" };
    const service = await startService(t, { app: "stop-hooks.mjs", workers: 1, env, flags: ["--stop-timeout", "6s"] });
    await service.untilReady();
    await stopsWith(service, 0, 6_000);
    assert.ok(service.hasLogged(/thrown late in a hook/));
  });

  test("cuts a request that outlasts the budget at the deadline, counts it, and exits 0", async (t) => {
    const service = await startService(t, { app: "stop-hooks.mjs", workers: 1, flags: ["--stop-timeout", "6s"] });
    await service.untilReady();
    const answer = ask(service.url("/?ms=60000")).then(
      () => "answered",
      (error: Error) => error.message,
    );
    await until("the request is in flight", () => count(service, "request begins") === 1);
    await stopsWith(service, 0, 6_000);
    assert.match(await answer, /hang up|ECONNRESET/);
    assert.ok(service.hasLogged(/1 request and 1 connection cut/), service.output());
  });

  test("lets a response whose headers are out finish", async (t) => {
    const service = await startService(t, { app: "stop-stream.mjs", workers: 2, flags: ["--drain-idle", "200ms"] });
    await service.untilReady();
    const client = await connect(service.appPort);
    client.send("/?ms=1500");
    await until("the first chunk is there", () => client.received().includes("first"));
    await stopsWith(service, 0, 9_000);
    assert.match(client.received(), /last\r\n0\r\n\r\n$/);
  });

  test("answers one more request on a keep-alive connection, with Connection: close", async (t) => {
    const service = await startService(t, { app: "http.mjs", workers: 1, flags: ["--stop-timeout", "18s", "--drain-idle", "8s"] });
    await service.untilReady();
    const client = await connect(service.appPort);
    client.send("/");
    await until("the first answer is there", () => /keep-alive[\s\S]*hello$/.test(client.received()));
    service.signal("SIGTERM");
    await until("the worker drains", async () => !(await accepts(service.appPort)));
    assert.equal(client.isClosed(), false);
    const before = client.received().length;
    client.send("/");
    await until("the connection ends", () => client.isClosed());
    assert.match(client.received().slice(before), /^HTTP\/1\.1 200 OK[\s\S]*connection: close[\s\S]*hello$/i);
    // The rest of the idle allowance is not waited for: there is nobody left.
    const exit = await service.exited();
    assert.equal(exit.code, 0);
    assert.ok(exit.afterMs < 7_000, `it took ${exit.afterMs} ms`);
  });

  test("waits for idle and silent connections no longer than drain-idle", async (t) => {
    const service = await startService(t, { app: "http.mjs", workers: 1, flags: ["--stop-timeout", "18s", "--drain-idle", "300ms"] });
    await service.untilReady();
    const idle = await connect(service.appPort);
    const silent = await connect(service.appPort);
    const halfway = await connect(service.appPort);
    idle.send("/");
    halfway.socket.write("GET / HTTP/1.1\r\nHost: loc");
    await until("the worker holds all three", async () => (await service.status()).workers[0]?.processes[0]?.connections === 3);
    await stopsWith(service, 0, 3_000);
    assert.match(idle.received(), /hello$/);
    assert.equal(silent.received(), "");
  });
});
