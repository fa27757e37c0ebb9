// The container's limits decide how many workers run and how large their heaps are.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Container, createContainer, docker, skip, startContainer, useImage } from "./helpers.ts";

describe("a container with limits", { skip }, () => {
  const image = useImage();

  it("runs one worker with --cpus 1", async (t) => {
    const container = await startContainer(t, image, ["--cpus", "1"]);
    await container.untilReady();
    const { workersTarget, workers } = await container.status();
    assert.deepEqual([workersTarget, workers.length], [1, 1]);
    assert.match(await container.logs(), /1 worker \(one per CPU, cgroup quota\)/);
  });

  it("runs one worker per CPU of --cpus 2, where the machine has two", async (t) => {
    if (Number(await docker(["info", "--format", "{{.NCPU}}"])) < 2) return t.skip("the engine has one CPU");
    const container = await startContainer(t, image, ["--cpus", "2"]);
    await container.untilReady();
    assert.equal((await container.status()).workersTarget, 2);
  });

  for (const { memory, workers } of [
    { memory: 256, workers: 1 },
    { memory: 512, workers: 1 },
  ]) {
    it(`gives children a heap that fits with --memory ${memory}m`, async (t) => {
      const container = await startContainer(t, image, ["--memory", `${memory}m`, "--memory-swap", `${memory}m`, "--cpus", "1"]);
      await container.untilReady();
      // docs/sizing.md: 64 MiB for the master, the rest shared by workers and agent.
      const share = (memory - 64) / (workers + 1);
      const heap = Math.max(32, Math.floor(0.75 * share - 40));
      const status = await container.status();
      const pids = [status.agent, ...status.workers].map((slot) => slot?.processes[0]?.pid as number);
      assert.equal(pids.length, workers + 1);
      for (const pid of pids)
        assert.deepEqual(await heapFlags(container, pid), [`--max-old-space-size=${heap}`, "--max-semi-space-size=16"]);
      const resident = await residentMiB(container, [1, ...pids]);
      t.diagnostic(`${memory} MiB: heap ${heap} MiB each; resident after boot: ${resident.join(" + ")} MiB`);
      assert.ok(resident.reduce((sum, each) => sum + each, 0) < memory, `resident ${resident.join(" + ")} MiB of ${memory}`);
      assert.equal(await container.inspect("{{.State.OOMKilled}}"), "false");
    });
  }

  it("refuses --memory 64m with exit code 2 and says what it takes", async (t) => {
    const container = await createContainer(t, image, ["--memory", "64m", "--memory-swap", "64m"]);
    await docker(["start", container.name]);
    assert.equal(await container.exited(), 2);
    const lines = (await container.logs()).trim().split("\n");
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(
      lines[0] as string,
      /the memory limit is 64 MiB, but the service needs at least 96 MiB.*Raise the limit \(docker run --memory/,
    );
    assert.equal(await container.inspect("{{.State.OOMKilled}}"), "false");
  });
});

async function heapFlags(container: Container, pid: number): Promise<readonly string[]> {
  return (await container.exec("cat", `/proc/${pid}/cmdline`)).split("\0").filter((word) => /^--max-(old|semi)-space-size/.test(word));
}

async function residentMiB(container: Container, pids: readonly number[]): Promise<readonly number[]> {
  const texts = await Promise.all(pids.map((pid) => container.exec("cat", `/proc/${pid}/status`)));
  return texts.map((text) => Math.round(Number(/^RssAnon:\s*(\d+) kB$/m.exec(text)?.[1]) / 1024));
}
