// Unmodified apps of every kind run with two workers, declared port or not: ready, served by both, and stopped without losing a request.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { freePort } from "../helpers/ports.ts";
import { childrenOf, isAlive } from "../helpers/processes.ts";
import { FIXTURES, type Service, type ServiceOptions, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const SLOW_MS = 800;
const SLOW_REQUESTS = 4;
const BURST = 8;

interface Row {
  readonly name: string;
  readonly app: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What each worker's own handler prints. */
  readonly prints?: string;
  /** Whether it is run without a declared port as well. */
  readonly undeclared?: false;
}

const ROWS: readonly Row[] = [
  { name: "plain http", app: "app-http.mjs" },
  { name: "Express", app: "app-express.mjs" },
  { name: "Fastify", app: "app-fastify.mjs", env: { APP_HOST: "0.0.0.0" } },
  { name: "Fastify on localhost's two addresses", app: "app-fastify.mjs" },
  { name: "Koa", app: "app-koa.mjs" },
  { name: "Hono on @hono/node-server", app: "app-hono.mjs" },
  { name: "TypeScript", app: "app-typescript.ts" },
  { name: "CommonJS with require.main", app: "app-commonjs.cjs" },
  { name: "top-level await", app: "app-top-level-await.mjs" },
  { name: "a TERM handler that exits at once", app: "app-exits-on-term.mjs", prints: "handler ran" },
  { name: "a TERM handler that closes the server", app: "app-closes-on-term.mjs", prints: "handler ran" },
  { name: "a TERM handler that raises the signal again", app: "app-raises-again.mjs", prints: "handler ran" },
  { name: "signal-exit", app: "app-signal-exit.mjs", prints: "handler ran", undeclared: false },
  { name: "node:cluster", app: "app-cluster.mjs", undeclared: false },
  { name: "removed listeners for TERM and messages", app: "app-removes-listeners.mjs", undeclared: false },
  { name: "a listener for messages", app: "app-messages.mjs", prints: "saw 0 messages", undeclared: false },
  { name: "a path without its extension", app: "app-folder/index", undeclared: false },
  { name: "a start script without an extension", app: "app-package/bin/www", undeclared: false },
  { name: "a folder with an index.js", app: "app-folder", undeclared: false },
  { name: "a package with a main", app: "app-package", undeclared: false },
  { name: "an exported request listener", app: "export-listener.mjs", undeclared: false },
  { name: "an exported request listener of CommonJS", app: "export-listener.cjs", undeclared: false },
  { name: "an exported { fetch }", app: "export-fetch.mjs", undeclared: false },
  { name: "an exported Express app", app: "export-express.mjs", undeclared: false },
  { name: "an exported Koa app", app: "export-koa.mjs", undeclared: false },
  { name: "an exported Fastify app", app: "export-fastify.mjs", undeclared: false },
  { name: "an exported Hono app", app: "export-hono.mjs", undeclared: false },
  { name: "an exported function that makes a server", app: "export-factory.mjs", undeclared: false },
  { name: "an exported server", app: "export-server.mjs", undeclared: false },
];

describe("an unmodified app", { concurrency: 4 }, () => {
  for (const declared of [true, false]) {
    for (const row of ROWS) {
      if (!declared && row.undeclared === false) continue;
      test(`with ${row.name} runs, ${declared ? "its port declared" : "its port its own"}`, async (t) => {
        const service = await start(t, { app: row.app, declared, ...(row.env === undefined ? {} : { env: row.env }) });
        const pids = await servedByBoth(service, (path) => get(service.url(path)));
        await stopsWithoutLoss(service, (path) => get(service.url(path)));
        assert.equal(count(service.output(), "primary branch"), 0);
        if (row.prints !== undefined) assert.equal(count(service.output(), row.prints), pids.length, service.output());
      });
    }
  }
});

test("an app on two declared ports is ready when it listens on both", async (t) => {
  const second = await freePort();
  const env = { SECOND_PORT: String(second) };
  const service = await start(t, { app: "app-two-ports.mjs", flags: ["--port", String(second)], env });
  assert.match(await get(`http://127.0.0.1:${second}/pid`), /^\d+$/);
  assert.deepEqual((await service.status()).addresses.length, 2);
  await stopsWithoutLoss(service, (path) => get(`http://127.0.0.1:${second}${path}`));
});

test("an app that opens one more port when it is ready is not warned of it", async (t) => {
  const second = await freePort();
  const service = await start(t, { app: "app-two-ports.mjs", flags: ["--log-level", "debug"], env: { SECOND_PORT: String(second) } });
  for (const slot of [0, 1])
    await until(`worker ${slot} listens there`, () => service.hasLogged(new RegExp(`^worker ${slot} listens on .*:${second}$`)));
  assert.equal(service.hasLogged(/was not declared/), false, service.output());
});

test("an app on a unix socket is ready, serves and stops", { skip: process.platform === "win32" }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, "app.sock");
  const service = await start(t, { app: "app-unix-socket.mjs", declared: false, env: { SOCKET_PATH: socketPath } });
  assert.deepEqual((await service.status()).addresses, [socketPath]);
  await servedByBoth(service, (path) => get({ socketPath, path }));
  await stopsWithoutLoss(service, (path) => get({ socketPath, path }));
});

test("what an app forks, spawns and threads has nothing of Rollcall in it", async (t) => {
  const service = await start(t, { app: "app-children.mjs" });
  const clean = { execArgv: [], termListeners: 0, linked: false, assigned: false };
  const facts = JSON.parse(await get(service.url("/facts"))) as object;
  assert.deepEqual(facts, { forked: clean, spawned: clean, thread: clean });
  await stopsWithoutLoss(service, (path) => get(service.url(path)));
});

test("an app gets its own arguments, its own path and clean flags", async (t) => {
  const appArgs = ["--port", "1", "--", "two words", ""];
  const service = await start(t, { app: "app-arguments.mjs", appArgs });
  const { argv, ...rest } = JSON.parse(await get(service.url("/facts"))) as { argv: string[] };
  assert.deepEqual(argv.slice(1), [join(FIXTURES, "app-arguments.mjs"), ...appArgs]);
  assert.deepEqual(rest, { execArgv: [], nodeOptions: null, imported: null, assigned: false });
});

test("NODE_OPTIONS with --import reaches the app", async (t) => {
  const nodeOptions = `--import ${pathToFileURL(join(FIXTURES, "app-import.mjs")).href}`;
  const service = await start(t, { app: "app-arguments.mjs", env: { NODE_OPTIONS: nodeOptions } });
  const { argv: _argv, ...rest } = JSON.parse(await get(service.url("/facts"))) as { argv: string[] };
  assert.deepEqual(rest, { execArgv: [], nodeOptions, imported: true, assigned: false });
  await stopsWithoutLoss(service, (path) => get(service.url(path)));
});

async function start(t: TestContext, options: ServiceOptions): Promise<Service> {
  const flags = ["--drain-idle", "100ms", ...(options.flags ?? [])];
  const service = await startService(t, { workers: 2, ...options, flags });
  await service.untilReady();
  return service;
}

/** Asks until both workers have answered; returns their pids. */
async function servedByBoth(service: Service, ask: (path: string) => Promise<string>): Promise<readonly string[]> {
  const expected = (await service.workerPids()).map(String).sort();
  assert.equal(expected.length, 2);
  const seen = new Set<string>();
  await until(`both workers (${expected.join(", ")}) have answered`, async () => {
    for (const pid of await Promise.all(Array.from({ length: BURST }, () => ask("/pid")))) seen.add(pid);
    return seen.size >= 2;
  });
  assert.deepEqual([...seen].sort(), expected);
  return expected;
}

/** TERM with slow requests in flight: all of them succeed, every worker ends cleanly, nothing is left. */
async function stopsWithoutLoss(service: Service, ask: (path: string) => Promise<string>): Promise<void> {
  const children = childrenOf(service.pid);
  const slow = Promise.all(Array.from({ length: SLOW_REQUESTS }, () => ask(`/slow?ms=${SLOW_MS}`)));
  await until("the slow requests have begun", () => count(service.output(), "begun") === SLOW_REQUESTS);
  service.signal("SIGTERM");
  assert.deepEqual(await slow, Array(SLOW_REQUESTS).fill("slow"));
  assert.equal((await service.exited()).code, 0, service.output());
  assert.deepEqual(children.filter(isAlive), []);
  const outcomes = service.log().flatMap((line) => line.outcome ?? []);
  assert.deepEqual(outcomes, ["clean", "clean"], service.output());
}

/** One connection per request, so that nothing idle outlives it. */
function get(target: string | http.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const onResponse = (response: http.IncomingMessage): void => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve(body));
      response.on("error", reject);
    };
    const request =
      typeof target === "string" ? http.get(target, { agent: false }, onResponse) : http.get({ ...target, agent: false }, onResponse);
    request.on("error", reject);
  });
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
