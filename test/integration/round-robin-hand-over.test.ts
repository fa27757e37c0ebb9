// Round-robin, and a worker that has no descriptor for the connection that it is handed: another worker gets it, or it is kept until one has; nobody
// hangs, nothing is left in the master, and the worker gets its share again when it can.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { connectionsOf, fdsOf } from "../helpers/listeners.ts";
import { ask } from "../helpers/load.ts";
import { type Service, startService } from "../helpers/service.ts";
import { ON_CLUSTER, ROUND_ROBIN, untilWhole, type Way } from "../helpers/strategies.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

const MOST_DESCRIPTORS = 256;

interface Short {
  readonly service: Service;
  /** The worker that has no descriptor left. */
  readonly pid: string;
  release(): Promise<void>;
}

async function startShort(t: TestContext, { name, listen, env }: Way, workers: number): Promise<Short> {
  const hold = join(tmpdir(), `rollcall-${name.replaceAll(/\W/g, "-")}-${process.pid}-${workers}`);
  writeFileSync(hold, "");
  t.after(() => rmSync(hold, { force: true }));
  const wrapper = ["bash", "-c", `ulimit -n ${MOST_DESCRIPTORS}; exec "$@"`, "--"];
  const service = await startService(t, { app: "trouble-descriptors.mjs", workers, wrapper, env, flags: ["--listen", listen] });
  await service.untilReady();
  await untilWhole(service, 1, workers);
  const exhausting = ask(service.url(`/exhaust?hold=${hold}`), false, { timeout: DEADLINE_MS * 4 });
  const isShort = (pid: number): boolean => fdsOf(pid).length >= MOST_DESCRIPTORS;
  let pid = 0;
  await until("a worker has none left", async () => {
    pid = (await service.workerPids()).find(isShort) ?? 0;
    return pid !== 0;
  });
  const release = async (): Promise<void> => {
    rmSync(hold);
    assert.ok(Number((await exhausting).body) > 50);
  };
  return { service, pid: String(pid), release };
}

describe("a connection for a worker without descriptors", { skip: process.platform !== "linux" && "needs /proc" }, () => {
  for (const way of [ROUND_ROBIN, ON_CLUSTER]) {
    test(`${way.name}: goes to another one, and that worker gets its share again when it can`, async (t) => {
      const { service, pid, release } = await startShort(t, way, 3);
      const before = connectionsOf(service.pid, service.appPort);
      const serverOf = async (): Promise<string> => (await ask(service.url("/"))).body;
      for (let asked = 0; asked < 20; asked++) assert.notEqual(await serverOf(), pid);
      const together = await Promise.all(Array.from({ length: 20 }, serverOf));
      assert.equal(together.includes(pid), false);
      assert.equal(new Set(together).size, 2);
      await release();
      await until("it serves again", async () => (await serverOf()) === pid);
      await until("the master has let go of them", () => connectionsOf(service.pid, service.appPort) === before);
    });

    test(`${way.name}: waits when there is no other one`, async (t) => {
      const { service, pid, release } = await startShort(t, way, 1);
      const asked = Array.from({ length: 10 }, () => ask(service.url("/")));
      await until("the master keeps them", () => connectionsOf(service.pid, service.appPort) === asked.length);
      await release();
      assert.deepEqual(new Set((await Promise.all(asked)).map(({ body }) => body)), new Set([pid]));
      await until("the master has let go of them", () => connectionsOf(service.pid, service.appPort) === 0);
    });
  }
});
