// `rollcall/app` from inside: in workers and the agent, from ES modules and CommonJS, and under plain node, where nobody supervises.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { kill } from "../helpers/processes.ts";
import { FIXTURES, type Service, startService } from "../helpers/service.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

const SLOW_MS = 500;

interface Facts {
  readonly role: string;
  readonly slot: number;
  readonly generation: number;
  readonly pid: number;
  readonly aborted: boolean;
}

test("workers know their role, slot and generation, which a reload raises", async (t) => {
  const service = await startService(t, { app: "app-api.mjs", workers: 2, flags: ["--drain-idle", "100ms"] });
  await service.untilReady();
  const first = await factsOfBoth(service, 1);
  assert.deepEqual(
    first.map(({ role, slot, aborted }) => ({ role, slot, aborted })),
    [
      { role: "worker", slot: 0, aborted: false },
      { role: "worker", slot: 1, aborted: false },
    ],
  );
  service.signal("SIGHUP");
  await until("the reload is done", () => service.hasLogged(/^reload done/));
  const second = await factsOfBoth(service, 2);
  assert.deepEqual(
    second.map(({ slot }) => slot),
    [0, 1],
  );
  assert.ok(second.every(({ pid }) => !first.some((other) => other.pid === pid)));
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0);
});

test("shutdownSignal aborts at the drain's begin; hooks run once after the last request, and a failing one stops no other", async (t) => {
  const service = await startService(t, { app: "app-api.mjs", agent: "app-api.mjs", workers: 1, flags: ["--drain-idle", "100ms"] });
  await service.untilReady();
  const slow = get(service.url(`/slow?ms=${SLOW_MS}`));
  await until("the slow request has begun", () => service.output().includes("worker 0 begun"));
  service.signal("SIGTERM");
  assert.equal((JSON.parse(await slow) as Facts).aborted, true);
  assert.equal((await service.exited()).code, 0);

  assert.deepEqual(said(service.output(), "worker 0"), [
    "listens",
    "begun",
    "aborted",
    "answers, aborted: true",
    "hook begins",
    "hook ends",
    "exits with 0",
  ]);
  assert.deepEqual(said(service.output(), "agent 0"), ["listens", "aborted", "hook begins", "hook ends", "exits with 0"]);
  for (const message of ["the first hook fails", "the second hook fails"])
    assert.equal(service.output().split(`shutdown hook failed: Error: ${message}`).length - 1, 2, service.output());
});

test("a hook that fails is printed although another one hangs, under plain node too", async (t) => {
  const flags = ["--drain-idle", "100ms", "--stop-timeout", "8s"];
  const service = await startService(t, { app: "hooks-fail-and-hang.mjs", workers: 1, flags });
  await service.untilReady();
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
  assert.ok(service.hasLogged(/shutdown hooks or SIGTERM listeners had not ended/), service.output());
  assert.match(service.output(), /a shutdown hook failed: Error: this hook fails/);
  const plain = await startPlain(t, "hooks-fail-and-hang.mjs");
  await until("it listens", () => plain.output().includes("listens"));
  process.kill(plain.pid, "SIGTERM");
  await until("the failure is printed", () => plain.output().includes("a shutdown hook failed: Error: this hook fails"));
});

test("ready() makes the service ready where ready-when is message: not before every worker has said so", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const service = await startService(t, {
    app: "app-ready-later.mjs",
    workers: 2,
    flags: ["--ready-when", "message", "--drain-idle", "100ms", "--log-level", "debug"],
    env: { SOCKET_FOLDER: folder },
  });
  const tell = (slot: number): Promise<string> => get({ socketPath: join(folder, `${slot}.sock`), path: "/" });
  await until("worker 0 was told", async () => (await tell(0)) === "");
  await until("worker 0 is ready", async () => (await service.metric('rollcall_processes{role="worker",state="ready"}')) === 1);
  assert.equal(await service.probe("ready"), 500);
  await until("worker 1 was told", async () => (await tell(1)) === "");
  await service.untilReady();
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0);
});

test("CommonJS has the same API by require()", async (t) => {
  const service = await startService(t, { app: "app-api-commonjs.cjs", workers: 2, flags: ["--drain-idle", "100ms"] });
  await service.untilReady();
  const facts = await factsOfBoth(service, 1);
  assert.deepEqual(
    facts.map(({ slot }) => slot),
    [0, 1],
  );
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0);
  for (const slot of [0, 1]) assert.deepEqual(said(service.output(), `worker ${slot}`), ["hook ran, aborted: true"]);
});

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const) {
  test(`under plain node ${signal} runs the hooks and ends with ${code}`, async (t) => {
    const app = await startPlain(t, "app-api.mjs");
    await until("it listens", () => app.output().includes("worker 0 listens"));
    const facts = JSON.parse(await get(app.url)) as Facts;
    assert.deepEqual(facts, { role: "worker", slot: 0, generation: 1, pid: app.pid, aborted: false });
    process.kill(app.pid, signal);
    assert.equal(await app.exited(), code);
    assert.deepEqual(said(app.output(), "worker 0"), ["listens", "aborted", "hook begins", "hook ends", `exits with ${code}`]);
    assert.match(app.output(), /shutdown hook failed: Error: the first hook fails/);
    assert.match(app.output(), /shutdown hook failed: Error: the second hook fails/);
  });
}

test("under plain node CommonJS has the hooks as well", async (t) => {
  const app = await startPlain(t, "app-api-commonjs.cjs");
  await until("it answers", async () => (JSON.parse(await get(app.url)) as Facts).slot === 0);
  process.kill(app.pid, "SIGTERM");
  assert.equal(await app.exited(), 143);
  assert.deepEqual(said(app.output(), "worker 0"), ["hook ran, aborted: true"]);
});

test("onShutdown() refuses what is no function, and says what came", async (t) => {
  const app = await startPlain(t, "app-api-misuse.mjs");
  assert.equal(await app.exited(), 0);
  for (const came of ["undefined", "null", "string"])
    assert.match(app.output(), new RegExp(`TypeError: onShutdown\\(hook\\): .* got ${came}`));
});

/** What a process said of itself. */
function said(output: string, who: string): readonly string[] {
  return output
    .split("\n")
    .filter((line) => line.startsWith(`${who} `))
    .map((line) => line.slice(who.length + 1));
}

/** The facts of both workers, by slot, once both have answered in the given generation. */
async function factsOfBoth(service: Service, generation: number): Promise<readonly Facts[]> {
  const bySlot = new Map<number, Facts>();
  await until(`both workers of generation ${generation} have answered`, async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => get(service.url("/"))));
    for (const answer of answers) {
      const facts = JSON.parse(answer) as Facts;
      if (facts.generation === generation) bySlot.set(facts.slot, facts);
    }
    return bySlot.size === 2;
  });
  return [...bySlot.values()].sort((a, b) => a.slot - b.slot);
}

interface Plain {
  readonly pid: number;
  readonly url: string;
  readonly output: () => string;
  readonly exited: () => Promise<number | null>;
}

/** The app as `node app.js` starts it. */
async function startPlain(t: TestContext, app: string): Promise<Plain> {
  const port = await freePort();
  const env: NodeJS.ProcessEnv = { ...process.env, PORT: String(port) };
  for (const name of ["NODE_OPTIONS", "NODE_TEST_CONTEXT", "NODE_UNIQUE_ID"]) delete env[name];
  const child: ChildProcess = spawn(process.execPath, [FIXTURES + app], { stdio: ["ignore", "pipe", "pipe"], env });
  const pid = child.pid as number;
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) kill(pid);
    return closed;
  });
  return {
    pid,
    url: `http://127.0.0.1:${port}/`,
    output: () => output,
    exited: async () => {
      await until(`it has ended\n${output}`, () => child.exitCode !== null || child.signalCode !== null, DEADLINE_MS);
      return closed;
    },
  };
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
