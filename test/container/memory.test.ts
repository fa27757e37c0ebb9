// Memory at the container's own limit: a leak is recycled before it, again and again; and a kill by the kernel is called by its name.
// ROLLCALL_RECYCLES is how often; a hundred take a quarter of an hour.
import assert from "node:assert/strict";
import http from "node:http";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../helpers/until.ts";
import { BOOT_MS, type Container, createContainer, docker, skip, useImage } from "./helpers.ts";

const RECYCLES = Number(process.env.ROLLCALL_RECYCLES ?? 10);
/** Each takes some seconds of leaking, a boot and a drain, on a machine that does other things too. */
const RECYCLE_MS = 60_000;
const LIMIT = ["--memory", "200m", "--memory-swap", "200m"];
const APP = fileURLToPath(new URL("../fixtures/apps/leak.mjs", import.meta.url));

describe("a leaking app in a container of 200 MiB", { skip }, () => {
  const image = useImage();

  // In the heap it is slower, for so small a heap is soon full.
  for (const [leak, times] of [
    ["buffers", RECYCLES],
    ["heap", Math.ceil(RECYCLES / 2)],
  ] as const) {
    it(`serves through ${times} recycles of a leak in its ${leak}, without an OOM kill`, {
      timeout: BOOT_MS + times * RECYCLE_MS,
    }, async (t) => {
      const container = await start(t, image, ["--env", `LEAK=${leak}`]);
      const load = await startSteadyLoad(t, container);
      const recycled = 'rollcall_process_starts_total{role="worker",reason="recycle_memory"}';
      await until(`it was recycled ${times} times`, async () => (await metric(container, recycled)) >= times, times * RECYCLE_MS);
      const { answers, failures } = load.stop();
      t.diagnostic(`${answers} requests were answered`);
      // First what would have been the cause.
      assert.equal(await metric(container, 'rollcall_process_exits_total{role="worker",outcome="oom"}'), 0);
      assert.equal(await metric(container, 'rollcall_process_exits_total{role="worker",outcome="crash"}'), 0);
      assert.deepEqual(failures, [], await container.logs());
      assert.equal(await container.inspect("{{.State.OOMKilled}}"), "false");
    });
  }

  it("that is not recycled is killed by the kernel, which the log, the status and the metrics call by its name", async (t) => {
    // A health check that begins just when the memory ends must not make the kernel pick the master: here one nearly always does.
    const container = await start(t, image, ["--env", "LEAK=buffers", "--env", "ROLLCALL_MAX_MEMORY=off", "--health-interval", "1s"]);
    const load = await startSteadyLoad(t, container);
    const killed = 'rollcall_process_exits_total{role="worker",outcome="oom"}';
    await until("the kernel killed a worker", async () => (await metric(container, killed)) >= 1, RECYCLE_MS * 2);
    load.stop();
    assert.match(await container.logs(), /worker 0 was killed by the kernel: the container is out of memory \(OOM\)/);
    await until("the status says so", async () => (await container.status()).workers[0]?.lastExit?.outcome === "oom");
    await container.untilReady();
    assert.equal((await container.status()).pid, 1);
    // Made so by the master, which has the container's own: the kernel picks a child.
    const worker = (await container.status()).workers[0]?.processes[0]?.pid;
    const score = async (pid: number) => Number(await container.exec("cat", `/proc/${pid}/oom_score_adj`));
    assert.equal((await score(worker ?? 0)) - (await score(1)), 300);
  });
});

async function start(t: TestContext, image: string, options: readonly string[]): Promise<Container> {
  const container = await createContainer(t, image, [...LIMIT, ...options], ["--port", "3000", "/app/leak.mjs"]);
  await docker(["cp", APP, `${container.name}:/app/leak.mjs`]);
  await docker(["start", container.name]);
  await container.untilReady();
  return container;
}

async function metric(container: Container, name: string): Promise<number> {
  const text = await (await container.get(9464, "/metrics")).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  assert.ok(line !== undefined, `no ${name}`);
  return Number(line.slice(name.length + 1));
}

/** One request after the other on each of two connections, with pauses: the app leaks some MiB a second. */
async function startSteadyLoad(
  t: TestContext,
  container: Container,
): Promise<{ stop(): { answers: number; failures: readonly string[] } }> {
  const url = await container.url(3000, "/");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const failures: string[] = [];
  let answers = 0;
  const timer = setInterval(() => {
    http
      .get(url, { agent }, (response) => {
        response.resume();
        response.on("end", () => (response.statusCode === 200 ? answers++ : failures.push(`status ${response.statusCode}`)));
        response.on("error", (error) => failures.push(error.message));
      })
      .on("error", (error) => failures.push(error.message));
  }, 10);
  const stop = () => {
    clearInterval(timer);
    return { answers, failures: [...failures] };
  };
  t.after(() => {
    stop();
    agent.destroy();
  });
  return { stop };
}
