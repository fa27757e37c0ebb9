// What egg-cluster's tests ask of a start: what ends it, and where the application listens.
import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { certificate, HAS_OPENSSL } from "../../helpers/certificate.ts";
import { startClusterProgram } from "../../helpers/cluster-program.ts";
import { forkMaster } from "../../helpers/forked.ts";
import { assertOneLine, scratch } from "../../helpers/mistakes.ts";
import { freePort, freeRow } from "../../helpers/ports.ts";
import { FIXTURES, type Service } from "../../helpers/service.ts";
import { until } from "../../helpers/until.ts";
import { BASE, type Facts, FRAMEWORK, factsAt, failToStart, startOnConfig } from "./framework.ts";

const SHOWN = /CustomError: mock error[\s\S]*customPlugin_99/;

describe("a start ends", { concurrency: 3 }, () => {
  for (const [what, deed] of [
    ["with 4 when the agent emits an error before it is ready, and no worker begins", "emits"],
    ["with 4 when the agent gets ready with an error, and shows it whole", "fails"],
    ["with 4 when the agent's constructor throws", "throws"],
  ] as const) {
    test(what, async (t) => {
      const { code, told, stdout, stderr } = await failToStart(t, { agentDoes: deed });
      assert.equal(code, 4, stdout + stderr);
      assertOneLine(told, /^agent failed to boot: .*mock error/);
      assert.match(stdout + stderr, SHOWN);
      assert.doesNotMatch(stdout, /app \d+ begins/);
    });
  }

  for (const [what, deed] of [
    ["with 3 when the application emits an error before it is ready", "emits"],
    ["with 3 when the application gets ready with an error, and shows it whole", "fails"],
    ["with 3 when the application's constructor throws", "throws"],
  ] as const) {
    test(what, async (t) => {
      const { code, told, stdout, stderr } = await failToStart(t, { appDoes: deed });
      assert.equal(code, 3, stdout + stderr);
      assertOneLine(told, /^worker 0 failed to boot: .*mock error/);
      assert.match(stdout + stderr, SHOWN);
    });
  }

  test("with 3 when the application takes longer than its own workerStartTimeout", async (t) => {
    const { code, told } = await failToStart(t, { appDoes: "is late" });
    assert.equal(code, 3, told.join("\n"));
    assertOneLine(told, /^worker 0 failed to boot: .*did not get ready within config\.workerStartTimeout/);
  });

  test("with 2 when a module of --require cannot be found, and names it", async (t) => {
    const { code, stdout, stderr } = await failToStart(t, {}, ["--require", "./nowhere.cjs"]);
    assert.equal(code, 2, stdout + stderr);
    assert.match(stdout + stderr, /--require: expected a module; cannot open .*nowhere\.cjs: no such file/);
  });

  test("with 3 when there is no port anywhere, or one that is no number", async (t) => {
    for (const listen of [{}, { port: "seven" }]) {
      const { code, told } = await failToStart(t, { appConfig: { listen } });
      assert.equal(code, 3, told.join("\n"));
      assertOneLine(told, /^worker 0 failed to boot: .*port should be number, but got (undefined\(undefined\)|seven\(string\))/);
    }
  });

  test("with 7 where https is to have egg-cluster's default port 8443 and that is taken", {
    skip: !HAS_OPENSSL && "no openssl",
  }, async (t) => {
    // If it cannot be had, somebody else has it.
    const holder = net.createServer().on("error", () => {});
    t.after(() => void holder.close());
    await new Promise<unknown>((resolve) => holder.once("listening", resolve).once("error", resolve).listen(8443));
    const { TLS_KEY: key, TLS_CERT: cert } = certificate(t);
    const program = await startClusterProgram(t, { baseDir: BASE, framework: FRAMEWORK, workers: 1, https: { key, cert } });
    assert.equal(await program.exited, 7, program.output());
    assert.match(program.output(), /ClusterPortConflictError: port 8443 for the app is taken/);
  });
});

describe("an application that is given no port listens", { concurrency: 3 }, () => {
  test("on the port and the host name of its config, in the environment as it is; a second one has a clusterPort of its own", async (t) => {
    const port = await freePort();
    const first = await startOnConfig(t, { port, hostname: "127.0.0.1" }, { EGG_SERVER_ENV: "stage" });
    await first.untilReady();
    const { options, serverEnv } = await factsAt(`http://127.0.0.1:${port}/`);
    assert.deepEqual([options.port, options.env, serverEnv], [port, undefined, "stage"]);
    await assert.rejects(factsAt(`http://127.0.0.2:${port}/`), /ECONNREFUSED/);
    const nextPort = await freePort();
    const second = await startOnConfig(t, { port: nextPort });
    await second.untilReady();
    const next = await factsAt(`http://127.0.0.2:${nextPort}/`);
    assert.notEqual(next.options.clusterPort, options.clusterPort);
    await stop(first);
    await stop(second);
  });

  test("on the unix socket of its config", async (t) => {
    const path = join(scratch(t), "app.sock");
    const service = await startOnConfig(t, { path });
    await service.untilReady();
    assert.equal(await statusOn(path), 200);
    await stop(service);
  });

  test("by https where its config has a key and a certificate", { skip: !HAS_OPENSSL && "no openssl" }, async (t) => {
    const { TLS_KEY: key, TLS_CERT: cert } = certificate(t);
    const program = await startClusterProgram(t, { ...clusterOf(await freePort()), appConfig: { https: { key, cert } } });
    assert.equal(((await program.untilLetter("egg-ready")).data as { protocol: string }).protocol, "https");
    program.process.kill("SIGTERM");
    assert.equal(await program.exited, 0, program.output());
  });
});

test("https and debugPort: the one is encrypted, the other is the same application in the clear", {
  skip: !HAS_OPENSSL && "no openssl",
}, async (t) => {
  const [port, debugPort] = [await freePort(), await freePort()];
  const { TLS_KEY: key, TLS_CERT: cert } = certificate(t);
  const program = await startClusterProgram(t, { ...clusterOf(port), debugPort, https: { key, cert } });
  const { data } = await program.untilLetter("egg-ready");
  assert.deepEqual(data, { port, debugPort: null, address: `https://127.0.0.1:${port}`, protocol: "https" });
  const { pid } = await until("the clear port answers", () => factsAt(`http://127.0.0.1:${debugPort}/`));
  assert.equal((await secureFacts(port)).pid, pid);
  program.process.kill("SIGTERM");
  assert.equal(await program.exited, 0, program.output());
});

test("a parent that asks for inspectors is told the agent's in egg-ready", async (t) => {
  const debugPort = await freeRow(2);
  const flags = ["--workers", "1", "--agent", `${FIXTURES}agent.mjs`, "--debug-port", String(debugPort)];
  const forked = await forkMaster(t, { app: "http.mjs", flags });
  assert.equal(((await forked.untilLetter("egg-ready")).data as { debugPort: number }).debugPort, debugPort);
  forked.process.kill("SIGTERM");
  assert.equal(await forked.exited, 0, forked.output());
});

function clusterOf(port: number): object {
  return { baseDir: BASE, framework: FRAMEWORK, workers: 1, port };
}

async function stop(service: Service): Promise<void> {
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
}

function statusOn(socketPath: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    http.get({ socketPath, path: "/", agent: false }, (response) => resolve(response.resume().statusCode)).once("error", reject);
  });
}

function secureFacts(port: number): Promise<Facts> {
  return new Promise((resolve, reject) => {
    const options = { port, host: "127.0.0.1", rejectUnauthorized: false, agent: false } as const;
    const onResponse = async (response: http.IncomingMessage): Promise<void> => {
      resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()) as Facts);
    };
    https.get(options, (response) => void onResponse(response).catch(reject)).once("error", reject);
  });
}
