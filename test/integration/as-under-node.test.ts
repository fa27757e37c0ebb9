// What an app may rely on under plain node and would miss here: a library that looks around for other listeners, a link to its release, a UDP port and an
// address of its own, its INT listeners.
import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { runRollcall, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const APP = { app: "as-under-node.mjs", workers: 2 } as const;
const ask = async (url: string): Promise<string> => (await fetch(url, { headers: { connection: "close" } })).text();
const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));

describe("an unmodified app", { concurrency: 2 }, () => {
  test("is ended by the one listener for uncaught exceptions that there is, and replaced", async (t) => {
    const service = await startService(t, { ...APP, workers: 1, env: { LONE: "at-start" }, flags: ["--backoff-delay", "20ms"] });
    await service.untilReady();
    const before = await service.workerPids();
    await ask(service.url("/throw")).catch(() => {});
    await until("it has a successor", async () => {
      const [pid] = await service.workerPids();
      return pid !== undefined && pid !== before[0];
    });
    assert.match(service.output(), /the only listener: thrown in a handler/);
    assert.equal((await service.status()).workers[0]?.lastExit?.code, 1);
  });

  test("shows the error that keeps it from starting, whoever listens", async (t) => {
    const service = await startService(t, { ...APP, env: { LONE: "at-start", THROWS: "yes" } });
    assert.equal((await service.exited()).code, 3);
    assert.match(service.output(), /the only listener: thrown at the start/);
  });

  test("is found anew by its link at a reload: a release that the link has been moved to", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "rc-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const current = join(folder, "current");
    for (const release of ["one", "two"]) {
      mkdirSync(join(folder, release));
      const server = `require("http").createServer((_, response) => response.end(${JSON.stringify(release)} + " " + process.argv[1])).listen(process.env.PORT)`;
      writeFileSync(join(folder, release, "server.cjs"), server);
    }
    symlinkSync("one", current);
    const app = join(current, "server.cjs");
    const service = await startService(t, { app, workers: 1 });
    await service.untilReady();
    assert.equal(await ask(service.url("/")), `one ${app}`);
    rmSync(current);
    symlinkSync("two", current);
    rmSync(join(folder, "one"), { recursive: true });
    assert.equal((await runRollcall(t, ["reload", "--control", service.control])).code, 0);
    assert.equal(await ask(service.url("/")), `two ${app}`);
  });

  test("that is reached by a link is run once, whatever Node is to do with links", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "rc-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "one"));
    writeFileSync(join(folder, "one/server.mjs"), `console.log("runs"); export default (_, response) => response.end("hello");`);
    symlinkSync("one", join(folder, "current"));
    const service = await startService(t, {
      app: join(folder, "current/server.mjs"),
      workers: 1,
      flags: ["--node-arg=--preserve-symlinks"],
    });
    await service.untilReady();
    assert.equal(await ask(service.url("/")), "hello");
    assert.equal(service.output().split("runs").length - 1, 1);
  });

  test("has UDP answers for itself, on a socket without a port of its own choice", async (t) => {
    const echo = dgram.createSocket("udp4");
    echo.on("message", (_, { port, address }) => echo.send("pong", port, address));
    t.after(() => echo.close());
    await once(echo.bind(0, "127.0.0.1"), "listening");
    const service = await startService(t, { ...APP, env: { UDP_PORT: String(echo.address().port) } });
    await service.untilReady();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(service.url("/udp"))));
    assert.deepEqual([...new Set(answers)], ["pong"]);
  });

  for (const listen of ["paired", "per-worker", "shared"]) {
    test(`sees IPv4 clients by their own addresses on 0.0.0.0, after reloads and as more workers too (${listen})`, async (t) => {
      const service = await startService(t, { ...APP, env: { APP_HOST: "0.0.0.0" }, flags: ["--listen", listen] });
      await service.untilReady();
      for (const command of [null, ["reload"], ["scale", "4"], ["reload"], ["scale", "1"]]) {
        if (command !== null) assert.equal((await runRollcall(t, [...command, "--control", service.control])).code, 0);
        const answers = await Promise.all(Array.from({ length: 12 }, () => ask(service.url("/ip").replace("localhost", "127.0.0.1"))));
        assert.deepEqual([...new Set(answers)], ["127.0.0.1"], String(command));
      }
      if (HAS_IPV6) await assert.rejects(ask(`http://[::1]:${service.appPort}/ip`));
      assert.ok(!service.log().some(({ level }) => level === "error"), service.output());
    });
  }

  test("cleans up by its INT listeners where it has none for TERM", async (t) => {
    const service = await startService(t, APP);
    await service.untilReady();
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
    assert.equal(service.output().split("cleaned up at SIGINT").length - 1, 2);
  });

  test("on localhost, declared, is scaled up without a word about the port", async (t) => {
    const service = await startService(t, { ...APP, env: { APP_HOST: "localhost" } });
    await service.untilReady();
    assert.equal((await runRollcall(t, ["scale", "3", "--control", service.control])).code, 0);
    assert.ok(!service.log().some(({ level }) => level === "error"), service.output());
  });
});

test("NODE_OPTIONS that load code into the master are told of", async (t) => {
  const env = { NODE_OPTIONS: `--import=data:text/javascript,globalThis.loaded=1` };
  const service = await startService(t, { ...APP, env });
  await service.untilReady();
  assert.ok(service.hasLogged(/^NODE_OPTIONS: --import loads its module into the master as well/));
});

test("the probes answer on IPv6 too", { skip: !HAS_IPV6 && "needs IPv6" }, async (t) => {
  const service = await startService(t, APP);
  await service.untilReady();
  for (const path of ["live", "ready", "health"])
    assert.equal((await fetch(`http://[::1]:${service.probesPort}/${path}`)).status, 200, path);
});
