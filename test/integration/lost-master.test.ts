// The master dies by SIGKILL: its children give up the port first, finish what they have in hand, and exit 110.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { accepts, ask, connect } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";
import { isStopped } from "../helpers/victims.ts";

/** Two workers and an agent that write their exit codes to a file; they are gone when the test ends, whatever became of the master. */
async function startWatched(
  t: TestContext,
  flags: readonly string[],
): Promise<{ service: Service; pids: readonly number[]; codes: () => Promise<readonly string[]> }> {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "codes");
  let pids: readonly number[] = [];
  // Before the service's own end is waited for: they have its pipes.
  t.after(() => {
    for (const pid of pids.filter(isAlive)) kill(pid);
  });
  const service = await startService(t, {
    app: "stop-exit-code.mjs",
    agent: "stop-exit-code.mjs",
    workers: 2,
    env: { EXIT_FILE: file },
    flags: ["--heartbeat-timeout", "4s", ...flags],
  });
  await service.untilReady();
  pids = childrenOf(service.pid);
  assert.equal(pids.length, 3);
  return { service, pids, codes: async () => (await readFile(file, "utf8")).trim().split("\n").sort() };
}

const inFlight = (service: Service): Promise<unknown> =>
  until("the request is in flight", async () => (await service.status()).workers.some((slot) => slot.processes[0]?.requestsInFlight === 1));

/** What a new master would do: it takes the port while the old children still work. */
function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

describe("children that lost their master", { concurrency: 2 }, () => {
  test("close their listeners first, finish the request in flight, and exit 110", async (t) => {
    const { service, pids, codes } = await startWatched(t, ["--stop-timeout", "12s"]);
    let answered = false;
    const answer = ask(service.url("/?ms=5000")).finally(() => (answered = true));
    await inFlight(service);
    process.kill(service.pid, "SIGKILL");
    await until("the port is free", async () => !(await accepts(service.appPort)) && (await canListen(service.appPort)));
    assert.equal(answered, false, "the request is still in flight");
    assert.equal((await answer).body, "done");
    await until("all are gone", () => !pids.some(isAlive));
    assert.deepEqual(await codes(), ["agent 110", "worker 110", "worker 110"]);
  });

  test("exit 110 at once when they have nothing in hand", async (t) => {
    const { service, pids, codes } = await startWatched(t, ["--stop-timeout", "60s"]);
    process.kill(service.pid, "SIGKILL");
    await until("all are gone", () => !pids.some(isAlive));
    assert.deepEqual(await codes(), ["agent 110", "worker 110", "worker 110"]);
  });

  test("hear of it also while a socket is on its way to it", { skip: process.platform !== "linux" && "Linux only" }, async (t) => {
    const { service, pids, codes } = await startWatched(t, ["--stop-timeout", "60s"]);
    process.kill(service.pid, "SIGSTOP");
    await until("the master stands still", () => isStopped(service.pid));
    // A port that nobody declared: the worker lodges its socket with the master.
    assert.equal((await ask(service.url(`/?port=${await freePort()}`))).body, "done");
    process.kill(service.pid, "SIGKILL");
    await until("all are gone", () => !pids.some(isAlive));
    assert.deepEqual(await codes(), ["agent 110", "worker 110", "worker 110"]);
  });

  test("hear of it also while a handle of the app's own is on its way to it", async (t) => {
    const { service, pids, codes } = await startWatched(t, ["--stop-timeout", "60s"]);
    process.kill(service.pid, "SIGSTOP");
    await until("the master stands still", () => isStopped(service.pid));
    assert.equal((await ask(service.url("/?send&ms=100"))).body, "done");
    process.kill(service.pid, "SIGKILL");
    await until("all are gone", () => !pids.some(isAlive));
    assert.deepEqual(await codes(), ["agent 110", "worker 110", "worker 110"]);
  });

  test("cut what outlasts the stop budget, and exit 110", async (t) => {
    const { service, pids, codes } = await startWatched(t, ["--stop-timeout", "2s"]);
    const client = await connect(service.appPort);
    client.send("/?ms=60000");
    await inFlight(service);
    process.kill(service.pid, "SIGKILL");
    await until("all are gone", () => !pids.some(isAlive));
    assert.equal(client.received(), "");
    assert.deepEqual(await codes(), ["agent 110", "worker 110", "worker 110"]);
  });

  test("while they drain already, end by the deadline all the same, and exit 110", async (t) => {
    const { service, pids, codes } = await startWatched(t, ["--stop-timeout", "3s"]);
    const client = await connect(service.appPort);
    client.send("/?ms=60000");
    await inFlight(service);
    service.signal("SIGTERM");
    await until("the drain begins", async () => !(await accepts(service.appPort)));
    process.kill(service.pid, "SIGKILL");
    await until("all are gone", () => !pids.some(isAlive));
    assert.ok((await codes()).includes("worker 110"), String(await codes()));
  });
});
