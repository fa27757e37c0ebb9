// startCluster() of rollcall/egg in the place of egg-cluster's, called by a program that another one has forked, as egg-scripts does.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { certificate, HAS_OPENSSL } from "../helpers/certificate.ts";
import { folderOf, logFolder, notInstalled } from "../helpers/egg.ts";
import type { Letter } from "../helpers/forked.ts";
import { ask } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import { killTree } from "../helpers/processes.ts";
import { cleanEnvironment } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const PROGRAM = fileURLToPath(new URL("../fixtures/programs/egg-cluster.mjs", import.meta.url));

interface Program {
  readonly process: ReturnType<typeof fork>;
  readonly letters: readonly Letter[];
  readonly output: () => string;
  readonly exited: Promise<number | null>;
}

async function startProgram(t: TestContext, options: object): Promise<Program> {
  const logs = logFolder(t);
  const rollcall = { control: join(logs, "control.sock"), probesPort: await freePort(), metricsPort: await freePort(), drainIdle: "200ms" };
  const env = cleanEnvironment({ NODE_ENV: "production", EGG_FIXTURE_LOGS: logs, OPTIONS: JSON.stringify({ rollcall, ...options }) });
  const child = fork(PROGRAM, [], { silent: true, env, execArgv: [] });
  const letters: Letter[] = [];
  let output = "";
  child.on("message", (letter) => letters.push(letter as Letter));
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) killTree(child.pid as number);
    return exited;
  });
  return { process: child, letters, output: () => output, exited };
}

const untilLetter = (program: Program, action: string): Promise<Letter> =>
  until(`${action} comes`, () => program.letters.find((letter) => letter.action === action), 60_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${program.output()}`);
  });

describe("startCluster()", { skip: notInstalled(3), concurrency: 2 }, () => {
  test("starts the application, tells its parent, hands letters on, and ends with the service", async (t) => {
    const port = await freePort();
    const program = await startProgram(t, { baseDir: folderOf(3), port: String(port), workers: "1", startMode: "process" });
    const { data, from } = await untilLetter(program, "egg-ready");
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

  test("ends with the service's exit code when the application cannot start", async (t) => {
    const program = await startProgram(t, { baseDir: join(folderOf(3), "config"), workers: 1 });
    assert.equal(await program.exited, 2);
    assert.match(program.output(), /start\(\): egg: expected the folder of an Egg application; .*config\/package\.json does not exist/);
  });

  test("serves https, and debugPort in the clear", { skip: HAS_OPENSSL ? false : "no openssl" }, async (t) => {
    const [port, debugPort] = [await freePort(), await freePort()];
    const { TLS_KEY: key, TLS_CERT: cert } = certificate(t);
    const program = await startProgram(t, { baseDir: folderOf(3), port, debugPort, workers: 1, https: { key, cert } });
    const { data } = await untilLetter(program, "egg-ready");
    assert.equal((data as { protocol: string }).protocol, "https");
    const answer = await until("the clear port answers", () => ask(`http://127.0.0.1:${debugPort}/`));
    assert.equal(answer.status, 200);
    program.process.kill("SIGTERM");
    assert.equal(await program.exited, 0, program.output());
  });
});
