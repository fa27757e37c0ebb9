// start() of the package: a service as a child of a program, with a typed handle.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import net from "node:net";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ServiceError } from "../../src/index.ts";
import { embed } from "../helpers/embedded.ts";
import { freePort } from "../helpers/ports.ts";
import { childrenOf, isAlive, kill, killTree } from "../helpers/processes.ts";
import { cleanEnvironment, FIXTURES } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

interface Status {
  readonly generation: number;
  readonly maintenance: boolean;
  readonly agent: { readonly processes: readonly { readonly pid: number }[] } | null;
  readonly workers: readonly { readonly processes: readonly { readonly pid: number; readonly state: string }[] }[];
}

const failure = (promise: Promise<unknown>): Promise<ServiceError> =>
  promise.then(
    () => assert.fail("it was fulfilled"),
    (error: ServiceError) => error,
  );

describe("start()", { concurrency: 3 }, () => {
  test("starts a service, orders it about, and stops it", async (t) => {
    const { service, port } = await embed(t, { workers: 1, agent: `${FIXTURES}agent.mjs` });
    const status = async (): Promise<Status> => (await service.status()) as Status;
    assert.deepEqual(await service.ready, { port, debugPort: null, address: `http://127.0.0.1:${port}`, protocol: "http" });
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello");
    const before = await status();
    await service.scale("+1");
    assert.equal((await status()).workers.length, 2);
    await service.scale(1);
    assert.equal((await status()).workers.length, 1);
    await service.reload({ agent: true });
    const after = await status();
    assert.equal(after.generation, 2);
    assert.notEqual(after.agent?.processes[0]?.pid, before.agent?.processes[0]?.pid);
    await service.restart(0);
    assert.notEqual((await status()).workers[0]?.processes[0]?.pid, after.workers[0]?.processes[0]?.pid);
    await service.drain();
    assert.equal((await status()).maintenance, true);
    await service.drain(false);
    assert.equal((await status()).maintenance, false);
    assert.deepEqual(await service.stop(), { code: 0, signal: null, error: null });
    assert.deepEqual(await service.stop(), { code: 0, signal: null, error: null }, "a second stop says the same");
    assert.equal((await failure(service.status())).code, "ERR_ENDED");
    assert.equal(service.send("late"), false);
  });

  test("stops also while all the orders are on their way that it may give", async (t) => {
    const { service } = await embed(t, { workers: 1 });
    await service.ready;
    const orders = Array.from({ length: 70 }, () => service.reload().catch((error: Error) => error.message));
    assert.equal((await service.stop()).code, 0);
    assert.ok((await Promise.all(orders)).includes("64 orders are on their way already"));
  });

  test("tells who died, and what an order failed of", async (t) => {
    const { service } = await embed(t, { workers: 1, agent: `${FIXTURES}agent.mjs` });
    const died: string[] = [];
    service.on("app-worker-died", ({ outcome }) => died.push(`worker ${outcome}`));
    service.on("agent-worker-died", ({ outcome }) => died.push(`agent ${outcome}`));
    await service.ready;
    const { agent, workers } = (await service.status()) as Status;
    kill(workers[0]?.processes[0]?.pid as number);
    await until("the worker's death is told", () => died.includes("worker killed"));
    kill(agent?.processes[0]?.pid as number);
    await until("the agent's death is told", () => died.includes("agent killed"));
    const error = await failure(service.restart(7));
    assert.equal(error.code, "ERR_ORDER");
    assert.match(error.message, /^restart failed: /);
    assert.equal((await service.stop()).code, 0);
    assert.deepEqual(died, ["worker killed", "agent killed"]);
  });

  test("posts letters to the agent and to workers, and hears theirs", async (t) => {
    const app = `${FIXTURES}parent-messages.mjs`;
    const { service } = await embed(t, { workers: 2, app, agent: app });
    const heard: { readonly from: string | undefined; readonly data: unknown }[] = [];
    service.on("message", ({ action, from, data }) => action === "pong" && heard.push({ from, data }));
    await service.ready;
    const data = new Map<string, unknown>([
      ["bytes", Buffer.from([1, 2])],
      ["at", new Date(0)],
      ["big", 7n],
    ]);
    service.send("ping", data, "app");
    await until("both workers have answered", () => heard.length === 2);
    service.send("ping", data, "agent");
    await until("the agent has answered", () => heard.length === 3);
    assert.deepEqual(
      heard.map(({ from }) => from),
      ["app", "app", "agent"],
    );
    for (const { from, data: told } of heard)
      assert.deepEqual(told, { role: from === "agent" ? "agent" : "worker", bytes: [1, 2], at: 0, big: "7" });
    assert.throws(() => service.send("ping", () => {}), /could not be cloned/);
    service.send("reload-worker");
    await until("the workers are replaced", async () => ((await service.status()) as Status).generation === 2);
    assert.equal((await service.stop()).code, 0);
  });

  test("the end of the master fails what is under way, and is told with its signal", async (t) => {
    const { service, pid } = await embed(t, { workers: 1, app: "bad-never-listens.mjs", bootTimeout: "60s" });
    await until("the worker is there", () => childrenOf(pid).length > 0);
    const children = childrenOf(pid);
    t.after(() => children.filter(isAlive).forEach((each) => void kill(each)));
    const order = failure(service.scale(2));
    kill(pid);
    assert.deepEqual(await service.exited, { code: null, signal: "SIGKILL", error: null });
    assert.equal((await order).code, "ERR_ENDED");
    assert.match((await failure(service.ready)).message, /ended by SIGKILL before it was ready/);
  });

  test("ready rejects with the master's own error and its exit code", async (t) => {
    const wrong = await embed(t, { workers: "many" as never, stopTimeout: "soon", pidFile: "/nowhere/at/all.pid" });
    const usage = await failure(wrong.service.ready);
    assert.deepEqual([usage.code, usage.exitCode], ["ERR_CONFIG", 2]);
    assert.match(usage.message, /start\(\): workers: expected auto.*"many"/);
    assert.match(usage.message, /start\(\): stopTimeout: expected a duration.*"soon"/);

    const holder = net.createServer().listen(await freePort());
    t.after(() => holder.close());
    const taken = await embed(t, { workers: 1, port: (holder.address() as net.AddressInfo).port });
    const conflict = await failure(taken.service.ready);
    assert.deepEqual([conflict.name, conflict.code, conflict.exitCode], ["ClusterPortConflictError", "ERR_PORT_CONFLICT", 7]);
    assert.match(conflict.message, /is taken by process \d+/);

    const bad = await embed(t, { workers: 1, app: "bad-throws.mjs" });
    const boot = await failure(bad.service.ready);
    assert.deepEqual([boot.code, boot.exitCode], ["ERR_WORKER_BOOT", 3]);
    assert.match(boot.message, /TypeError: DATABASE_URL is not set/);
    assert.equal((await bad.service.exited).error, boot);
  });

  test("hands the options over where no list of processes shows them, and nothing of it to the children", async (t) => {
    const { service, pid } = await embed(t, {
      workers: 1,
      app: "app-arguments.mjs",
      appArgs: ["--own", "two words"],
      env: { PASSWORD: "hunter2" },
    });
    const { address } = await service.ready;
    const facts = (await (await fetch(`${address}/facts`)).json()) as { readonly argv: readonly string[] };
    assert.deepEqual(facts.argv.slice(2), ["--own", "two words"]);
    for (const file of ["cmdline", "environ"]) assert.doesNotMatch(readFileSync(`/proc/${pid}/${file}`, "latin1"), /hunter2|two words/);
    const [child] = childrenOf(pid);
    const environment = readFileSync(`/proc/${child}/environ`, "latin1").split("\0");
    assert.ok(environment.includes("PASSWORD=hunter2"));
    assert.deepEqual(
      environment.filter((each) => each.startsWith("ROLLCALL_PARENT")),
      [],
    );
    assert.equal((await service.stop()).code, 0);
  });

  test("the service outlives the program that started it", async (t) => {
    const [port, probesPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
    const options = { app: `${FIXTURES}http.mjs`, workers: 1, port, probesPort, metricsPort, control: "off", stdio: "ignore" };
    const program = spawn(process.execPath, [fileURLToPath(new URL("../fixtures/programs/starts.mjs", import.meta.url))], {
      stdio: ["ignore", "pipe", "inherit"],
      env: cleanEnvironment({ OPTIONS: JSON.stringify(options) }),
    });
    let output = "";
    program.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    t.after(() => kill(program.pid as number));
    const pid = await until("it says the master's pid", () => Number(/"pid":(\d+)/.exec(output)?.[1]));
    t.after(() => killTree(pid));
    await until("the service is ready", () => output.includes('"ready"'));
    program.kill("SIGKILL");
    await until("the program is gone", () => !isAlive(program.pid as number));
    for (let i = 0; i < 10; i++) assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello");
    process.kill(pid, "SIGTERM");
    await until("the master has ended", () => !isAlive(pid));
  });
});
