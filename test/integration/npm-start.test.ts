// The README's first command: `npm start` serves the example with agent, workers, probes and metrics, and ends with 0 on TERM and on Ctrl-C.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ask } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import { childrenOf, isAlive, killTree } from "../helpers/processes.ts";
import { IN_A_TERMINAL, noTerminal } from "../helpers/terminal.ts";
import { until } from "../helpers/until.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const noNpm = spawnSync("npm", ["--version"]).status !== 0 && "npm is not on PATH";

async function npmStart(t: TestContext, wrapper: readonly string[] = []) {
  const [port, probes, metrics] = [await freePort(), await freePort(), await freePort()];
  const [command = "npm", ...args] = [...wrapper, "npm", "start"];
  const ports = {
    PORT: String(port),
    ROLLCALL_PROBES_PORT: String(probes),
    ROLLCALL_METRICS_PORT: String(metrics),
    ROLLCALL_CONTROL: "off",
  };
  const npm = spawn(command, args, {
    cwd: REPOSITORY,
    env: { ...process.env, NODE_OPTIONS: "", ...ports },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const pid = npm.pid as number;
  let output = "";
  for (const stream of [npm.stdout, npm.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => npm.once("close", resolve));
  t.after(() => npm.exitCode === null && killTree(pid));
  await until(`npm start serves\n${output}`, async () => (await ask(`http://127.0.0.1:${probes}/ready`)).status === 200);
  return { pid, port, probes, metrics, exited, output: () => output };
}

describe("npm start", { skip: noNpm }, () => {
  test("serves the example; app, probes, metrics and status answer; TERM to npm ends it with 0 and its requests finished", async (t) => {
    const { pid, port, probes, metrics, exited, output } = await npmStart(t);
    assert.match((await ask(`http://127.0.0.1:${port}/`)).body, /^hello from slot \d+, pid \d+/);
    for (const path of ["live", "ready", "health"]) assert.equal((await ask(`http://127.0.0.1:${probes}/${path}`)).status, 200, path);
    assert.match((await ask(`http://127.0.0.1:${metrics}/metrics`)).body, /^rollcall_ready 1$/m);
    assert.equal(JSON.parse((await ask(`http://127.0.0.1:${metrics}/status`)).body).agent.state, "ready");
    await endsWell({ pid, port, metrics, exited, output });
  });

  test("ends with 0 on Ctrl-C in a terminal, with its requests finished", { skip: noTerminal() }, async (t) => {
    await endsWell(await npmStart(t, IN_A_TERMINAL));
  });
});

/** TERM with a request in flight: it is answered, the exit is 0, and nothing is left. */
async function endsWell(run: {
  pid: number;
  port: number;
  metrics: number;
  exited: Promise<number | null>;
  output: () => string;
}): Promise<void> {
  const left = childrenOf(run.pid);
  const slow = ask(`http://127.0.0.1:${run.port}/slow?ms=2500`);
  await until("the request is in flight", async () =>
    /^rollcall_requests_in_flight\{slot="\d+"\} 1$/m.test((await ask(`http://127.0.0.1:${run.metrics}/metrics`)).body),
  );
  process.kill(run.pid, "SIGTERM");
  assert.equal((await slow).status, 200);
  assert.equal(await run.exited, 0, run.output());
  assert.deepEqual(left.filter(isAlive), []);
}
