// A bare machine without an init: `rollcall start --daemon`, its pid file, and both ways to stop it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { childrenOf, isAlive, kill, killTree } from "../helpers/processes.ts";
import { cleanEnvironment, FIXTURES, ROLLCALL, runRollcall } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

interface Machine {
  readonly folder: string;
  readonly pidFile: string;
  readonly logFile: string;
  readonly url: string;
  readonly env: Readonly<Record<string, string>>;
  /** The flags of a service on this machine. */
  readonly flags: readonly string[];
}

/** A folder of the test's own with a place for the control socket, and whatever was started there gone at the end. */
async function machine(t: TestContext, pidFileName = "run.pid"): Promise<Machine> {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  const [port, probesPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const [pidFile, logFile] = [join(folder, pidFileName), join(folder, "logs/service.log")];
  t.after(async () => {
    const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : 0;
    if (pid > 1 && isAlive(pid)) killTree(pid);
    if (pid > 1) await until("the master is gone", () => !isAlive(pid));
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    ...{ folder, pidFile, logFile, url: `http://127.0.0.1:${port}/` },
    env: { XDG_RUNTIME_DIR: folder },
    flags: ["--port", port, "--probes-port", probesPort, "--metrics-port", metricsPort, "--pid-file", pidFile, "--workers", 1].map(String),
  };
}

function startDaemon(
  t: TestContext,
  { logFile, flags, env }: Machine,
  app = "http.mjs",
  more: readonly string[] = [],
): ReturnType<typeof runRollcall> {
  return runRollcall(t, ["start", "--daemon", "--log-file", logFile, ...flags, ...more, FIXTURES + app], { env });
}

const sessionOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3]);
};

describe("a daemon", { concurrency: 3 }, () => {
  test("returns when it is ready, keeps others off its pid file, and is stopped by it", async (t) => {
    const on = await machine(t);
    const started = await startDaemon(t, on);
    assert.equal(started.code, 0, started.stderr);
    const pid = Number(readFileSync(on.pidFile, "utf8"));
    assert.match(started.stdout, new RegExp(`^rollcall: started, pid ${pid}, http://127\\.0\\.0\\.1:\\d+; log in ${on.logFile}\\n$`));
    assert.equal(await (await fetch(on.url)).text(), "hello");
    assert.equal(sessionOf(pid), pid, "a session of its own");
    assert.match(readFileSync(on.logFile, "utf8"), /"msg":"ready in \d+ ms/);

    const second = await startDaemon(t, on);
    assert.equal(second.code, 2);
    assert.match(
      second.stderr,
      new RegExp(`pid-file: ${on.pidFile} belongs to process ${pid}, which is running: stop that, or choose another file`),
    );
    assert.equal(await (await fetch(on.url)).text(), "hello", "the first one is not touched");
    assert.equal(Number(readFileSync(on.pidFile, "utf8")), pid);

    // As when the clock was put on since.
    utimesSync(on.pidFile, Date.now() / 1_000 - 3_600, Date.now() / 1_000 - 3_600);
    const stopped = await runRollcall(t, ["stop", "--pid-file", on.pidFile]);
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.equal(stopped.stdout, `stop: under way (pid ${pid})\nstopped: the service has ended\n`);
    assert.ok(!isAlive(pid) && !existsSync(on.pidFile));
    const again = await runRollcall(t, ["stop", `--pid-file=${on.pidFile}`]);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /there is no pid file/);
  });

  test("is found without its pid file, by its control socket", async (t) => {
    const on = await machine(t);
    assert.equal((await startDaemon(t, on)).code, 0);
    const pid = Number(readFileSync(on.pidFile, "utf8"));
    const stopped = await runRollcall(t, ["stop"], { env: on.env, cwd: on.folder });
    assert.equal(stopped.code, 0, stopped.stderr);
    assert.match(stopped.stdout, /ended with exit code 0/);
    await until("the master is gone", () => !isAlive(pid));
  });

  test("makes the folders of its pid file and its log, and is found by what was given", async (t) => {
    const on = await machine(t, "run/app.pid");
    const { folder: cwd, env } = on;
    const flags = on.flags.map((each) => (each === on.pidFile ? "run/app.pid" : each));
    const args = ["start", "--daemon", "--log-file", "logs/app.log", ...flags, `${FIXTURES}http.mjs`];
    const started = await runRollcall(t, args, { env, cwd });
    assert.equal(started.code, 0, started.stderr);
    assert.ok(isAlive(Number(readFileSync(on.pidFile, "utf8"))) && existsSync(join(cwd, "logs/app.log")));
    const stopped = await runRollcall(t, ["stop", "--pid-file", "run/app.pid"], { cwd });
    assert.equal(stopped.code, 0, stopped.stderr);
  });

  test("that is stopped while it starts was never ready: exit 1", async (t) => {
    const on = await machine(t);
    const boot = startDaemon(t, on, "bad-never-listens.mjs");
    const pid = await until("the master has its pid file", () => Number(existsSync(on.pidFile) && readFileSync(on.pidFile, "utf8")));
    process.kill(pid, "SIGTERM");
    const { code, stderr } = await boot;
    assert.equal(code, 1);
    assert.match(stderr, /before it was ready/);
  });

  test("that does not start says why, with the exit code of the service", async (t) => {
    const on = await machine(t);
    const boot = await startDaemon(t, on, "bad-throws.mjs");
    assert.equal(boot.code, 3);
    assert.match(boot.stderr, /TypeError: DATABASE_URL is not set/);
    assert.ok(boot.stderr.includes(`its log is in ${on.logFile}`));
    assert.match(readFileSync(on.logFile, "utf8"), /DATABASE_URL is not set/);
    const usage = await startDaemon(t, on, "http.mjs", ["--surge", "many"]);
    assert.equal(usage.code, 2);
    assert.match(usage.stderr, /^rollcall: --surge: expected a whole number/m);
    assert.ok(!existsSync(on.pidFile));
    const nowhere = await runRollcall(t, ["start", "--daemon", "--log-file", "/proc/nowhere/log", ...on.flags, `${FIXTURES}http.mjs`]);
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.stderr, /--log-file: cannot write \/proc\/nowhere\/log/);
  });

  test("that nobody waits for any longer is stopped", async (t) => {
    const on = await machine(t);
    const args = ["start", "--daemon", "--log-file", on.logFile, ...on.flags, `${FIXTURES}bad-never-listens.mjs`];
    const launcher = spawn(process.execPath, [ROLLCALL, ...args], { stdio: ["ignore", "pipe", "pipe"], env: cleanEnvironment(on.env) });
    const ended = once(launcher, "close");
    const pid = await until("the master has forked", () => {
      const found = Number(readFileSync(on.pidFile, "utf8"));
      return childrenOf(found).length > 0 ? found : 0;
    });
    launcher.kill("SIGINT");
    assert.deepEqual(await ended, [130, null]);
    await until("the master is gone", () => !isAlive(pid));
  });
});

describe("a pid file", { concurrency: 3 }, () => {
  /** A live process that does nothing. */
  function sleeper(t: TestContext): number {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    t.after(() => kill(child.pid as number));
    return child.pid as number;
  }

  test("of a process that is gone, or whose pid another has now, is taken over", async (t) => {
    const on = await machine(t);
    const gone = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    await once(gone, "exit");
    const live = sleeper(t);
    for (const [text, ageMs] of [
      [String(gone.pid), 0],
      [`${live}\n`, 3_600_000],
      ["", 0],
    ] as const) {
      writeFileSync(on.pidFile, text);
      const at = (Date.now() - ageMs) / 1_000;
      utimesSync(on.pidFile, at, at);
      const stale = await runRollcall(t, ["stop", "--pid-file", on.pidFile]);
      assert.equal(stale.code, 1);
      assert.match(stale.stderr, /is left over: its service.* is not running/);
      const started = await startDaemon(t, on);
      assert.equal(started.code, 0, started.stderr);
      assert.notEqual(readFileSync(on.pidFile, "utf8").trim(), text.trim());
      assert.equal((await runRollcall(t, ["stop", "--pid-file", on.pidFile])).code, 0);
    }
    assert.ok(isAlive(live), "nobody has signalled the process that only has the pid");
  });

  test("of a live process, or that is none, is left alone", async (t) => {
    const on = await machine(t);
    const live = sleeper(t);
    for (const [text, problem] of [
      [`${live}\n`, new RegExp(`belongs to process ${live}, which is running`)],
      ["root:x:0:0", /is there and holds no pid/],
    ] as const) {
      writeFileSync(on.pidFile, text);
      const { code, stderr } = await startDaemon(t, on);
      assert.equal(code, 2);
      assert.match(stderr, problem);
      assert.equal(readFileSync(on.pidFile, "utf8"), text);
    }
    rmSync(on.pidFile);
  });
});
