// The life of a container under the hardening that a cluster's policy asks for: read-only root without /tmp, no capability, no new
// privilege, a user that the image does not know.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../helpers/until.ts";
import { BOOT_MS, type Container, docker, LOCKED, run, skip, startContainer, useImage } from "./helpers.ts";

const SHORT = ["--health-interval", "1s", "--env", "ROLLCALL_WORKERS=2", "--env", "ROLLCALL_ROLL_CALL_PERIOD=500ms"];

describe("a locked-down container", { skip }, () => {
  const image = useImage();

  it("is PID 1, becomes healthy in Docker's eyes, and serves", async (t) => {
    const container = await startContainer(t, image, [...LOCKED, ...SHORT]);
    await until("Docker calls it healthy", async () => (await container.inspect("{{.State.Health.Status}}")) === "healthy", BOOT_MS);
    await container.untilReady();
    assert.equal((await container.status()).pid, 1);
    assert.match(await container.exec("cat", "/proc/1/cmdline"), /^node\0\/opt\/rollcall\/dist\/cli\/rollcall\.js\0/);
    assert.equal(await container.exec("id", "-u"), "1000");
    assert.match(await (await container.get(3000, "/")).text(), /^hello from slot /);
    assert.equal((await container.get(9000, "/live")).status, 200);
    assert.match(await (await container.get(9464, "/metrics")).text(), /^rollcall_processes\{role="worker",state="ready"\} 2$/m);
    assert.match(await container.exec("rollcall", "health"), /^live: 200/);
    assert.match(await container.exec("rollcall", "health", "ready"), /^ready: 200/);
    assert.match(await container.logs(), /no control socket, so rollcall status, reload and the like cannot reach this service/);
  });

  it("takes commands by docker exec where /tmp is writable, from its user and from root", async (t) => {
    const container = await startContainer(t, image, [...LOCKED, ...SHORT, "--tmpfs", "/tmp"]);
    await container.untilReady();
    assert.match(await container.exec("rollcall", "status"), /: running, ready, live, generation 1\n/);
    assert.match(await container.exec("rollcall", "reload"), /reload done: every worker runs the new generation$/);
    assert.equal((await container.status()).generation, 2);
    // A root without capabilities is a user like others: it is told whom to be.
    const root = await run("docker", ["exec", "--user", "0", container.name, "rollcall", "status"]);
    assert.deepEqual([root.code, /is a service of the user with the id 1000: run this as that user/.test(root.stderr)], [1, true]);
    const unlocked = await startContainer(t, image, SHORT);
    await unlocked.untilReady();
    assert.match(await docker(["exec", "--user", "0", unlocked.name, "rollcall", "scale", "+1"]), /scale done$/);
  });

  it("may have its agent in a thread of PID 1, which another replaces, and still ends with 0", async (t) => {
    const options = [...LOCKED, ...SHORT, "--tmpfs", "/tmp", "--env", "ROLLCALL_AGENT_MODE=thread"];
    const container = await startContainer(t, image, options);
    await container.untilReady();
    const agent = async () => (await container.status()).agent?.processes.find(({ state }) => state === "ready");
    const before = await agent();
    assert.deepEqual([before?.pid, typeof before?.thread], [1, "number"]);
    assert.match(await container.exec("rollcall", "restart", "agent"), /restart done/);
    const after = await agent();
    assert.deepEqual([after?.pid, after?.thread === before?.thread], [1, false]);
    const { code, afterMs } = await container.stop();
    assert.equal(code, 0, await container.logs());
    assert.ok(afterMs < 9_000, `docker stop took ${Math.round(afterMs)} ms`);
  });

  it("ends an idle docker stop with 0 in under 3 s", async (t) => {
    const container = await startContainer(t, image, [...LOCKED, ...SHORT]);
    await container.untilReady();
    const { code, afterMs } = await container.stop();
    t.diagnostic(`docker stop took ${Math.round(afterMs)} ms`);
    assert.equal(code, 0, await container.logs());
    assert.ok(afterMs < 3_000, `docker stop took ${Math.round(afterMs)} ms`);
  });

  it("lets a request of 5 s finish when docker stop comes in the middle", async (t) => {
    const container = await startContainer(t, image, [...LOCKED, ...SHORT]);
    await container.untilReady();
    const answer = container.get(3000, "/slow?ms=5000").then(async (response) => `${response.status} ${await response.text()}`);
    await until("the request is in hand", async () => (await requestsInFlight(container)) === 1);
    const [said, stopped] = await Promise.all([answer, container.stop()]);
    t.diagnostic(`docker stop took ${Math.round(stopped.afterMs)} ms`);
    assert.match(said, /^200 /);
    assert.equal(stopped.code, 0, await container.logs());
  });

  it("heals when a worker is killed with kill -9", async (t) => {
    const container = await startContainer(t, image, [...LOCKED, ...SHORT]);
    await container.untilReady();
    const pid = await workerPid(container);
    await container.exec("sh", "-c", `kill -9 ${pid}`);
    await until("another worker has its slot", async () => {
      const { workers, workersReady } = await container.status();
      return workersReady === 2 && workers[0]?.restarts === 1 && workers[0].processes[0]?.pid !== pid;
    });
    assert.match(await (await container.get(3000, "/")).text(), /^hello from slot /);
    assert.equal(await container.inspect("{{.State.Running}} {{.RestartCount}}"), "true 0");
    assert.equal((await container.stop()).code, 0);
  });

  it("goes on when docker exec leaves an orphan behind, and when that dies", async (t) => {
    const container = await startContainer(t, image, [...LOCKED, ...SHORT]);
    await container.untilReady();
    const orphan = await container.exec("sh", "-c", "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!");
    await until("it has become a child of process 1", async () => (await parentOf(container, orphan)) === "1");
    await container.exec("sh", "-c", `kill -9 ${orphan}`);
    const calls = async (): Promise<number> =>
      Number(/^rollcall_roll_calls_total\{result="success"\} (\d+)$/m.exec(await (await container.get(9464, "/metrics")).text())?.[1]);
    const before = await calls();
    await until("a roll call has passed since", async () => (await calls()) > before);
    const status = await container.status();
    assert.deepEqual([status.ready, status.live, status.workersReady, status.rollCall.strikes], [true, true, 2, 0]);
    assert.deepEqual(
      status.workers.map((slot) => slot.restarts),
      [0, 0],
    );
    assert.match(await (await container.get(3000, "/")).text(), /^hello from slot /);
    assert.equal((await container.stop()).code, 0);
  });

  it("works behind the init of docker run --init as well", async (t) => {
    const container = await startContainer(t, image, ["--init", ...LOCKED, ...SHORT]);
    await container.untilReady();
    assert.notEqual((await container.status()).pid, 1);
    assert.match(await (await container.get(3000, "/")).text(), /^hello from slot /);
    const { code, afterMs } = await container.stop();
    t.diagnostic(`docker stop took ${Math.round(afterMs)} ms`);
    assert.equal(code, 0, await container.logs());
    assert.ok(afterMs < 3_000, `docker stop took ${Math.round(afterMs)} ms`);
  });
});

async function requestsInFlight(container: Container): Promise<number> {
  const { workers } = await container.status();
  return workers.flatMap((slot) => slot.processes).reduce((sum, each) => sum + (each.requestsInFlight ?? 0), 0);
}

async function workerPid(container: Container): Promise<number> {
  return (await container.status()).workers[0]?.processes[0]?.pid as number;
}

async function parentOf(container: Container, pid: string): Promise<string | undefined> {
  return /^PPid:\s*(\d+)$/m.exec(await container.exec("cat", `/proc/${pid}/status`))?.[1];
}
