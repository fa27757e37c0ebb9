// All sources together: precedence, defaults, cross checks, paths, and every problem at once.

import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";

import type { Config } from "../../../src/config/config.ts";
import { type ConfigResult, resolveConfig, resolveProbesPort } from "../../../src/config/resolve.ts";
import { scratch } from "./scratch.ts";

interface Given {
  readonly argv?: readonly string[];
  readonly env?: Record<string, string>;
  readonly files?: Readonly<Record<string, string>>;
  readonly isTerminal?: boolean;
}

async function resolved(t: TestContext, given: Given): Promise<ConfigResult & { folder: string }> {
  const folder = await scratch(t, { "server.js": "", ...given.files });
  const argv = given.argv ?? ["server.js"];
  const result = await resolveConfig({
    argv,
    env: given.env ?? {},
    cwd: folder,
    isTerminal: given.isTerminal ?? false,
    configDeadlineMs: 20_000,
  });
  return { ...result, folder };
}

async function configOf(
  t: TestContext,
  given: Given,
): Promise<{ config: Config; from: Record<string, string>; file: string | null; folder: string }> {
  const result = await resolved(t, given);
  assert.ok(result.ok, JSON.stringify(result));
  const from = Object.fromEntries(result.provenance.map(({ option, source }) => [option, source]));
  return { config: result.config, from, file: result.file, folder: result.folder };
}

async function problemsOf(t: TestContext, given: Given): Promise<readonly string[]> {
  const result = await resolved(t, given);
  assert.ok(!result.ok, JSON.stringify(result));
  return result.problems.map((problem) => problem.replaceAll(result.folder, "."));
}

test("fills everything with defaults but the app", async (t) => {
  const { config, from, file, folder } = await configOf(t, {});
  const expected: Config = {
    app: join(folder, "server.js"),
    appArgs: [],
    agent: null,
    egg: null,
    workers: { kind: "auto" },
    ports: [],
    host: null,
    serve: "auto",
    httpsKey: null,
    httpsCert: null,
    httpsCa: null,
    httpsPassphrase: null,
    listen: "auto",
    spread: 2,
    stickyTrust: "off",
    readyWhen: "listening",
    bootTimeoutMs: 60_000,
    stopTimeoutMs: 9_000,
    drainDelayMs: 0,
    drainIdleMs: 5_000,
    rollCallPeriodMs: 10_000,
    failureThreshold: 3,
    onException: "exit",
    lingerMs: 5_000,
    heartbeatTimeoutMs: 30_000,
    backoff: { delayMs: 500, factor: 2, limitMs: 30_000, resetMs: 30_000, jitter: 0.1 },
    maxRestarts: 10,
    maxMemory: { kind: "auto" },
    maxRequests: "off",
    maxLifetimeMs: "off",
    minReady: 1,
    agentGraceMs: 10_000,
    agentUncaught: "survive",
    agentMode: "process",
    settleMs: 3_000,
    surge: 1,
    probesPort: 9_000,
    metricsPort: 9_464,
    metricsHost: null,
    control: null,
    logLevel: "info",
    logFormat: "json",
    cpuScheduling: "auto",
    debugPort: null,
    pidFile: null,
    subreaper: false,
    title: null,
    keepDescendants: false,
    nodeArgs: [],
    imports: [],
    requires: [],
    env: {},
    cwd: folder,
  };
  assert.deepEqual(config, expected);
  assert.equal(file, null);
  assert.equal(from.app, "command line");
  assert.equal(from.workers, "default");
});

test("has other defaults in Kubernetes and on a terminal, and says so", async (t) => {
  const { config, from } = await configOf(t, { env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" }, isTerminal: true });
  assert.deepEqual([config.stopTimeoutMs, config.drainDelayMs, config.logFormat], [25_000, 5_000, "pretty"]);
  assert.deepEqual(
    [from["stop-timeout"], from["drain-delay"], from["log-format"]],
    ["default in Kubernetes", "default in Kubernetes", "default on a terminal"],
  );
});

test("lets flags win over the environment, that over the file, that over PORT, that over defaults", async (t) => {
  const files = { "rollcall.config.json": '{ "port": 3, "workers": 3, "surge": 3, "title": "file" }' };
  const { config, from, file, folder } = await configOf(t, {
    argv: ["--port", "1", "--workers", "1", "server.js"],
    env: { ROLLCALL_PORT: "2", ROLLCALL_WORKERS: "2", ROLLCALL_SURGE: "2", PORT: "4" },
    files,
  });
  assert.deepEqual([config.ports, config.workers, config.surge, config.title], [[1], { kind: "count", count: 1 }, 2, "file"]);
  assert.deepEqual([from.port, from.surge, from.title], ["--port", "ROLLCALL_SURGE", "rollcall.config.json"]);
  assert.equal(file, join(folder, "rollcall.config.json"));

  assert.deepEqual((await configOf(t, { env: { ROLLCALL_PORT: "2,5", PORT: "4" }, files })).config.ports, [2, 5]);
  assert.deepEqual((await configOf(t, { env: { PORT: "4" }, files })).config.ports, [3]);
  const port = await configOf(t, { env: { PORT: "4" } });
  assert.deepEqual([port.config.ports, port.from.port], [[4], "PORT"]);
});

test("reads every option from a file, and the app from each source", async (t) => {
  const files = {
    "agent.ts": "",
    "package.json": JSON.stringify({
      rollcall: { app: "server", agent: "agent", workers: "50%", env: { A: "b" }, pidFile: "run/pid", backoff: { delay: "1s", factor: 3 } },
    }),
  };
  const { config, from, folder } = await configOf(t, { argv: ["--", "-x"], files });
  assert.deepEqual([config.app, config.agent], [join(folder, "server.js"), join(folder, "agent.ts")]);
  assert.deepEqual([config.workers, config.env, config.pidFile], [{ kind: "share", share: 0.5 }, { A: "b" }, join(folder, "run/pid")]);
  assert.deepEqual(config.backoff, { delayMs: 1_000, factor: 3, limitMs: 30_000, resetMs: 30_000, jitter: 0.1 });
  assert.deepEqual(config.appArgs, ["-x"]);
  assert.equal(from.app, "package.json#rollcall");

  const { from: env } = await configOf(t, { argv: [], env: { ROLLCALL_APP: "server.js" }, files });
  assert.equal(env.app, "ROLLCALL_APP");
});

test("gives the environment to a config file that is code", async (t) => {
  const files = { "rollcall.config.ts": "export default { title: process.env.NAME as string };" };
  assert.equal((await configOf(t, { env: { NAME: "from-env" }, files })).config.title, "from-env");
});

test("tells the problems of all sources at once, each with its source", async (t) => {
  const problems = await problemsOf(t, {
    argv: ["--workers", "0", "--stop-timeout=5 parsecs", "--wrokers=1", "gone.js"],
    env: { ROLLCALL_WORKERS: "10000", ROLLCALL_LOG_LEVEL: "inof", ROLLCALL_SURGEE: "1", PORT: "http" },
    files: { "rollcall.config.ts": "export default { workers: 'x', prot: 1, agent: 'no-agent' };" },
  });
  const workers = "expected auto, a whole number from 1 to 1024, or a percentage of the CPUs such as 50%";
  assert.deepEqual(problems, [
    '--wrokers: unknown option; did you mean "--workers"?',
    'ROLLCALL_SURGEE: unknown option; did you mean "ROLLCALL_SURGE"?',
    'rollcall.config.ts: unknown option "prot"; did you mean "port"?',
    `--workers: ${workers}; got "0"`,
    `ROLLCALL_WORKERS: ${workers}; got "10000"`,
    `rollcall.config.ts: workers: ${workers}; got "x"`,
    'PORT: expected a port from 0 to 65535; got "http"',
    '--stop-timeout: expected a duration such as 500ms, 5s or 2m; got "5 parsecs"',
    'ROLLCALL_LOG_LEVEL: expected trace, debug, info, warn, error, fatal or silent; got "inof"; did you mean "info"?',
    "app: expected a module; cannot open ./gone.js: no such file",
    "rollcall.config.ts: agent: expected a module; cannot open ./no-agent: no such file",
  ]);
});

test("shows the usage when there is no app, unless an unread file might have one", async (t) => {
  assert.deepEqual(await problemsOf(t, { argv: [] }), ["app: none given; usage: rollcall [run] [options] <app> [-- app arguments]"]);
  assert.deepEqual(await problemsOf(t, { argv: ["--config", "gone.json"] }), ["--config: cannot read ./gone.json: no such file"]);
});

test("refuses options that contradict each other, and names where both came from", async (t) => {
  const cases: readonly (readonly [Given, readonly string[]])[] = [
    [
      { env: { KUBERNETES_SERVICE_HOST: "x", ROLLCALL_STOP_TIMEOUT: "5s" } },
      ["drain-delay (5s, default in Kubernetes) must be less than stop-timeout (5s, ROLLCALL_STOP_TIMEOUT): it is spent from that budget"],
    ],
    [
      { argv: ["server.js", "--workers=2", "--min-ready=3"] },
      ["min-ready (3, --min-ready) must not be above workers (2, --workers): the service would never be ready"],
    ],
    [
      { argv: ["server.js", "--backoff-delay=1m"] },
      ["backoff-delay (60s, --backoff-delay) must not be above backoff-limit (30s, default)"],
    ],
    [{ env: { PORT: "9000" } }, ["probes-port (9000, default) and port (9000, PORT) must differ: each needs a port of its own"]],
    [
      { argv: ["server.js", "--metrics-port=9000", "--port=80", "--port=80"] },
      [
        "port (80, 80, --port) names 80 twice",
        "metrics-port (9000, --metrics-port) and probes-port (9000, default) must differ: each needs a port of its own",
      ],
    ],
    [{ argv: ["server.js", "--failure-threshold=0"] }, ['--failure-threshold: expected a whole number from 1 to 1000; got "0"']],
  ];
  for (const [given, problems] of cases) assert.deepEqual(await problemsOf(t, given), problems);
});

test("lets free ports be the same, and many workers be ready of a share", async (t) => {
  await configOf(t, { argv: ["server.js", "--probes-port=0", "--metrics-port=0", "--port=0", "--port=0"] });
  await configOf(t, { argv: ["server.js", "--min-ready=3", "--workers=50%"] });
});

test("does not compare a value that is wrong already", async (t) => {
  assert.equal((await problemsOf(t, { argv: ["server.js", "--stop-timeout=x", "--drain-delay=1h"] })).length, 1);
});

test("applies cwd before any path", async (t) => {
  const files = {
    "sub/app.js": "",
    "sub/rollcall.config.json": '{ "title": "sub", "pidFile": "pid" }',
    "rollcall.config.json": '{ "title": "top" }',
  };
  const flag = await configOf(t, { argv: ["--cwd", "sub", "app.js"], files });
  assert.deepEqual(
    [flag.config.app, flag.config.cwd, flag.config.title],
    [join(flag.folder, "sub/app.js"), join(flag.folder, "sub"), "sub"],
  );
  assert.equal(flag.config.pidFile, join(flag.folder, "sub/pid"));

  const file = await configOf(t, { argv: ["app.js"], files: { "sub/app.js": "", "rollcall.config.json": '{ "cwd": "sub" }' } });
  assert.deepEqual([file.config.app, file.config.cwd], [join(file.folder, "sub/app.js"), join(file.folder, "sub")]);

  assert.deepEqual(await problemsOf(t, { argv: ["--cwd=gone", "app.js"] }), ["--cwd: expected a folder; cannot open ./gone: no such file"]);
  assert.deepEqual(await problemsOf(t, { files: { "rollcall.config.json": '{ "cwd": "server.js" }' } }), [
    "rollcall.config.json: cwd: expected a folder; got the file ./server.js",
  ]);
});

test("resolves preloads that are paths and leaves packages alone", async (t) => {
  const argv = ["server.js", "--import=./a.mjs", "--import=pkg/register", "--require=./b", "--require=@scope/pkg"];
  const { config, folder } = await configOf(t, { argv, files: { "a.mjs": "", "b.cjs": "", "b.js": "" } });
  assert.deepEqual(config.imports, [pathToFileURL(join(folder, "a.mjs")).href, "pkg/register"]);
  assert.deepEqual(config.requires, [join(folder, "b.js"), "@scope/pkg"]);
  assert.deepEqual(await problemsOf(t, { argv: ["server.js", "--import", "../gone.mjs"] }).then((all) => all.length), 1);
});

test("finds the probes' port without an app, whatever else is wrong", async (t) => {
  const folder = await scratch(t, { "rollcall.config.json": '{ "probesPort": 9100, "nonsense": 1 }' });
  const ask = (argv: readonly string[], env: Record<string, string>, cwd: string): Promise<number> =>
    resolveProbesPort({ argv, env, cwd, isTerminal: false });
  assert.equal(await ask([], {}, folder), 9_100);
  assert.equal(await ask([], { ROLLCALL_PROBES_PORT: "9200" }, folder), 9_200);
  assert.equal(await ask(["--probes-port=9300"], { ROLLCALL_PROBES_PORT: "x" }, folder), 9_300);
  assert.equal(await ask([], {}, await scratch(t, { "rollcall.config.json": "{" })), 9_000);
});
