// What a user can get wrong, each with one clear message (what was expected, what came, what to do), its exit code, and nothing left running.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { assertOneLine, run, scratch } from "../helpers/mistakes.ts";
import { freePort } from "../helpers/ports.ts";
import { FIXTURES, startService } from "../helpers/service.ts";

const APP = `${FIXTURES}ready-app.mjs`;
const isRoot = process.getuid?.() === 0;

describe("usage and configuration end with 2 and one line each:", { concurrency: 2 }, () => {
  const ROWS: readonly {
    readonly what: string;
    readonly args: readonly string[];
    readonly env?: Record<string, string>;
    readonly says: readonly RegExp[];
  }[] = [
    { what: "an unknown option", args: ["--worker", "2", APP], says: [/--worker: unknown option; did you mean "--workers"\?/] },
    { what: "a number that is none", args: ["--workers", "two", APP], says: [/--workers: expected .*got "two"/] },
    { what: "a port out of range", args: ["--port", "65536", APP], says: [/--port: expected .*65535.*got "?65536/] },
    { what: "no workers", args: ["--workers", "0", APP], says: [/--workers: expected .*got "?0/] },
    { what: "10000 workers", args: ["--workers", "10000", APP], says: [/--workers: expected .*got "?10000/] },
    {
      what: "a flag with which Node runs no app",
      args: ["--node-arg=--watch", APP],
      says: [/node-arg: expected a flag of Node's with which it runs the app, once; got "--watch"/],
    },
    { what: "no app", args: [], says: [/app: none given; usage: rollcall/] },
    { what: "an app that is missing", args: ["nowhere.js"], says: [/app: expected a module; cannot open .*nowhere\.js: no such file/] },
    {
      what: "an app that is a folder without an index",
      args: [`${FIXTURES}bad-folder`],
      says: [/app: expected a module; .*bad-folder is a folder without an index\.js/],
    },
    {
      what: "an agent that is missing",
      args: ["--agent", "nowhere.js", APP],
      says: [/--agent: expected a module; cannot open .*nowhere\.js: no such file/],
    },
    {
      what: "a config file that is missing",
      args: ["--config", "nowhere.json", APP],
      says: [/--config: cannot read .*nowhere\.json: no such file/],
    },
    { what: "a config file that is a folder", args: ["--config", FIXTURES, APP], says: [/--config: cannot read .*: it is a folder/] },
    {
      what: "a bad variable of the environment",
      args: [APP],
      env: { ROLLCALL_STOP_TIMEOUT: "soon" },
      says: [/ROLLCALL_STOP_TIMEOUT: expected .*got "soon"/],
    },
    {
      what: "every one of several mistakes",
      args: ["--worker", "2", "--stop-timeout", "soon", "--port", "x", "--agent", "nowhere.js", "missing.js"],
      env: { ROLLCALL_SURGE: "-1" },
      says: [
        /--worker\b/,
        /--stop-timeout: .*"soon"/,
        /--port: .*"x"/,
        /ROLLCALL_SURGE: .*-1/,
        /--agent: .*nowhere\.js/,
        /app: .*missing\.js/,
      ],
    },
  ];
  for (const { what, args, env, says } of ROWS) {
    test(what, async (t) => {
      const { code, stdout, stderr } = await run(t, args, env === undefined ? {} : { env });
      const lines = stderr.trimEnd().split("\n");
      assert.equal(code, 2, stderr);
      assert.equal(stdout, "");
      for (const pattern of says)
        assert.equal(lines.filter((line) => line.startsWith("rollcall: ") && pattern.test(line)).length, 1, `${pattern} in:\n${stderr}`);
      assert.equal(lines.length, says.length + 1, stderr);
      assert.match(lines.at(-1) ?? "", /rollcall --help/);
    });
  }

  for (const [what, name, text, says] of [
    ["a config file that throws", "rollcall.config.mjs", 'throw new Error("no secrets here")', /rollcall\.config\.mjs: .*no secrets here/],
    [
      "a config file that is not JSON",
      "rollcall.config.json",
      '{ "workers": 2, }',
      /rollcall\.config\.json: expected JSON; got: .*(position|line) \d+/,
    ],
    [
      "an unknown key in a config file",
      "rollcall.config.json",
      '{ "stopTimout": "5s" }',
      /rollcall\.config\.json: unknown option "stopTimout".*stopTimeout/,
    ],
    [
      "a bad value in package.json",
      "package.json",
      '{ "rollcall": { "workers": -3 } }',
      /package\.json#rollcall: workers: expected .*got "?-3/,
    ],
  ] as const) {
    test(what, async (t) => {
      const cwd = scratch(t);
      writeFileSync(join(cwd, name), text);
      const { code, stderr } = await run(t, [APP], { cwd });
      assert.equal(code, 2, stderr);
      assert.equal(stderr.split("\n").filter((line) => line.startsWith("rollcall: ") && says.test(line)).length, 1, stderr);
    });
  }

  test("a config file that may not be read", { skip: noSetpriv() }, async (t) => {
    const cwd = scratch(t);
    writeFileSync(join(cwd, "rollcall.config.json"), "{}", { mode: 0o000 });
    const service = await startService(t, { app: "ready-app.mjs", cwd, wrapper: without("-dac_override,-dac_read_search") });
    assert.equal((await service.exited()).code, 2, service.output());
    assert.match(service.output(), /^rollcall: cannot read .*rollcall\.config\.json: permission denied$/m);
  });
});

describe("what the machine does not grant ends with 2 and says so in the log:", { concurrency: 2 }, () => {
  test("ROLLCALL_CPUS that is no number", async (t) => {
    const { code, told } = await run(t, [APP], { env: { ROLLCALL_CPUS: "abc" } });
    assert.equal(code, 2);
    assertOneLine(told, /ROLLCALL_CPUS: expected a number of CPUs above 0.*got "abc"/);
  });

  test("a pid file in a folder whose own folder does not exist", async (t) => {
    const { code, told } = await run(t, ["--pid-file", "/nowhere/run/rollcall.pid", APP]);
    assert.equal(code, 2);
    assertOneLine(told, /pid-file: cannot write \/nowhere\/run\/rollcall\.pid: .*expected a path/);
  });

  test("a host that is not ours", async (t) => {
    const { code, told } = await run(t, ["--host", "192.0.2.1", "--port", String(await freePort()), APP]);
    assert.equal(code, 2);
    assertOneLine(told, /host 192\.0\.2\.1 for the app is not an address of this machine: expected/);
  });

  test("a port without permission", { skip: noSetpriv() || unprivilegedPorts() }, async (t) => {
    const wrapper = without("-net_bind_service");
    const service = await startService(t, { app: "ready-app.mjs", declared: false, flags: ["--port", "81"], wrapper });
    assert.equal((await service.exited()).code, 2, service.output());
    const told = service.log().filter(({ level }) => level === "fatal");
    assertOneLine(
      told.map(({ msg }) => msg),
      /port 81 for the app needs a privilege that this user does not have: choose a port from 1024 up with --port/,
    );
  });
});

describe("a taken port ends with 7, and its holder is named:", { concurrency: 2 }, () => {
  for (const [option, what] of [
    ["--port", "the app"],
    ["--probes-port", "the probes"],
    ["--metrics-port", "the metrics"],
  ] as const) {
    test(`the port for ${what}`, async (t) => {
      const port = await holdPort(t);
      const given = new Map([
        ["--probes-port", String(await freePort())],
        ["--metrics-port", String(await freePort())],
        [option, String(port)],
      ]);
      const { code, told } = await run(t, [...[...given].flat(), APP], { ports: false });
      assert.equal(code, 7, told.join("\n"));
      assertOneLine(
        told,
        new RegExp(
          `^ClusterPortConflictError: port ${port} for ${what} is taken by process ${process.pid} \\(node.*\\): stop it, or .*${option} \\(\\d+ is free\\)$`,
        ),
      );
    });
  }

  test("a port that the app chose itself", async (t) => {
    const port = await holdPort(t);
    const { code, told } = await run(t, ["--workers", "2", APP], { env: { APP_PORT: String(port) } });
    assert.equal(code, 7, told.join("\n"));
    assertOneLine(
      told,
      new RegExp(`^worker \\d failed to boot: .*ClusterPortConflictError: port ${port} for the app is taken by process ${process.pid} `),
    );
  });

  test("the ports of another Rollcall, which goes on unharmed", async (t) => {
    const first = await startService(t, { app: "ready-app.mjs", workers: 1, flags: ["--drain-idle", "100ms"] });
    await first.untilReady();
    const before = await first.workerPids();
    const ports = { app: first.appPort, probes: first.probesPort, metrics: first.metricsPort };
    const args = ["--port", String(ports.app), "--probes-port", String(ports.probes), "--metrics-port", String(ports.metrics)];
    const { code, told } = await run(t, [...args, APP], { ports: false });
    assert.equal(code, 7, told.join("\n"));
    assertOneLine(told, new RegExp(`^ClusterPortConflictError: port ${ports.app} for the app is taken by process ${first.pid} `));
    assert.equal(await (await fetch(first.url("/"), { headers: { connection: "close" } })).text(), "hello");
    assert.deepEqual(await first.workerPids(), before);
    first.signal("SIGTERM");
    assert.equal((await first.exited()).code, 0);
  });
});

/** Holds a port on all interfaces until the test's end. */
async function holdPort(t: TestContext): Promise<number> {
  const port = await freePort();
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, resolve));
  t.after(() => server.close());
  return port;
}

/** Root goes without the capability that would make the mistake none; others have none. */
function without(capability: string): readonly string[] {
  return isRoot ? ["setpriv", "--bounding-set", capability] : [];
}

function noSetpriv(): string | false {
  return isRoot && spawnSync("setpriv", ["--version"]).status !== 0 ? "as root this needs setpriv (util-linux)" : false;
}

function unprivilegedPorts(): string | false {
  try {
    const start = Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
    return start <= 81 ? `net.ipv4.ip_unprivileged_port_start is ${start}: every user may take port 81` : false;
  } catch {
    return false;
  }
}
