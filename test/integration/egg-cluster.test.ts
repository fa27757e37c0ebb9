// startCluster() of rollcall/egg in the place of egg-cluster's, called by a program that another one has forked, as egg-scripts does.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Snapshot } from "../../src/policy/snapshot.ts";
import { certificate, HAS_OPENSSL } from "../helpers/certificate.ts";
import { startClusterProgram } from "../helpers/cluster-program.ts";
import { folderOf, notInstalled } from "../helpers/egg.ts";
import { ask } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import { until } from "../helpers/until.ts";

describe("startCluster()", { skip: notInstalled(3), concurrency: 2 }, () => {
  test("starts the application, tells its parent, hands letters on, and ends with the service", async (t) => {
    const port = await freePort();
    const program = await startClusterProgram(t, { baseDir: folderOf(3), port: String(port), workers: "1", startMode: "process" });
    const { data, from } = await program.untilLetter("egg-ready");
    assert.deepEqual(data, { port, debugPort: null, address: `http://127.0.0.1:${port}`, protocol: "http" });
    assert.equal(from, "master");
    await until("it was called back, and goes on", () =>
      ["is called back", "goes on"].every((word) => program.output().includes(`the program ${word}`)),
    );
    program.process.send({ action: "hello", data: "parent to app", to: "app" });
    program.process.send({ action: "hello", data: "parent to agent", to: "agent" });
    await until("both have heard the parent", async () => {
      const { body } = await ask(`http://127.0.0.1:${port}/heard`);
      return body.includes('{"hello":"parent to app"}') && program.output().includes('agent heard hello "parent to agent"');
    });
    program.process.kill("SIGTERM");
    assert.equal(await program.exited, 0, program.output());
    assert.match(program.output(), /agent \d+ closed in peace/);
  });

  for (const NODE_ENV of ["production", undefined])
    test(`leaves ${NODE_ENV === undefined ? "an absent NODE_ENV" : "NODE_ENV"} as it is, beside the configured env`, async (t) => {
      const environment = { ROLLCALL_ENV: "FROM_CONFIG=yes", NODE_ENV } as Record<string, string>;
      const program = await startClusterProgram(t, { baseDir: folderOf(3), port: await freePort(), workers: 1 }, environment);
      await program.untilLetter("egg-ready");
      const status = (await (await fetch(`http://127.0.0.1:${program.metricsPort}/status`)).json()) as Snapshot;
      const variables = readFileSync(`/proc/${status.workers[0]?.processes[0]?.pid}/environ`, "utf8").split("\0");
      assert.ok(variables.includes("FROM_CONFIG=yes"));
      assert.ok(variables.includes(`NODE_ENV=${NODE_ENV ?? ""}`));
      program.process.kill("SIGTERM");
      assert.equal(await program.exited, 0, program.output());
    });

  test("ends with the service's exit code when the application cannot start", async (t) => {
    const program = await startClusterProgram(t, { baseDir: join(folderOf(3), "config"), workers: 1 });
    assert.equal(await program.exited, 2);
    assert.match(program.output(), /start\(\): egg: expected the folder of an Egg application; .*config\/package\.json does not exist/);
  });

  test("serves https, and debugPort in the clear", { skip: HAS_OPENSSL ? false : "no openssl" }, async (t) => {
    const [port, debugPort] = [await freePort(), await freePort()];
    const { TLS_KEY: key, TLS_CERT: cert } = certificate(t);
    const program = await startClusterProgram(t, { baseDir: folderOf(3), port, debugPort, workers: 1, https: { key, cert } });
    const { data } = await program.untilLetter("egg-ready");
    assert.equal((data as { protocol: string }).protocol, "https");
    const answer = await until("the clear port answers", () => ask(`http://127.0.0.1:${debugPort}/`));
    assert.equal(answer.status, 200);
    program.process.kill("SIGTERM");
    assert.equal(await program.exited, 0, program.output());
  });
});
