// What a child can write on its channels, past Node and past the runtime: it costs the master nothing, and the other worker nothing.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fdsOf } from "../helpers/listeners.ts";
import { kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** What a master is to keep beside what it needs, whatever comes. */
const MOST_RESIDENT_BYTES = 256 * 1024 * 1024;

interface Answer {
  readonly pid: number;
  readonly problem: string;
}

async function attack(service: Service, name: string): Promise<Answer> {
  return (await fetch(service.url(`/${name}`), { headers: { connection: "close" } })).json() as Promise<Answer>;
}

/** As before: the same master, both workers ready, all probes and metrics answered. */
async function isUnharmed(service: Service, master: number): Promise<void> {
  await until("both workers serve", async () => (await service.workerPids()).length === 2);
  assert.equal((await service.status()).pid, master);
  assert.equal(await service.probe("live"), 200);
  assert.ok((await service.metric("process_resident_memory_bytes")) < MOST_RESIDENT_BYTES);
}

describe("a worker that writes", { concurrency: 2 }, () => {
  const attacks = [
    "no-json",
    "values",
    "endless",
    "nodes-own",
    "nodes-own-handles",
    "gifts",
    "remarks",
    "junk",
    "beats",
    "letters",
    "forged",
    "no-letters",
    "lodged",
    "spared",
    "cyclic",
  ] as const;
  for (const name of attacks) {
    test(`${name} does not end, mislead or fill the master`, async (t) => {
      const service = await startService(t, { app: "channel-attacks.mjs", workers: 2, flags: ["--backoff-delay", "10ms"] });
      await service.untilReady();
      const master = (await service.status()).pid;
      const before = await service.workerPids();
      const open = fdsOf(master).length;
      const { pid, problem } = await attack(service, name);
      const reason = EXPECTED[name];
      if (reason !== undefined)
        await until(
          `it is counted as ${reason}`,
          async () => (await service.metric(`rollcall_messages_dropped_total{reason="${reason}"}`)) > 0,
        );
      if (reason === "malformed") await until("it is replaced", async () => !(await service.workerPids()).includes(pid));
      await isUnharmed(service, master);
      const others = before.filter((each) => each !== pid);
      assert.ok((await service.workerPids()).includes(others[0] as number), "the other one lives");
      if (name === "cyclic") assert.match(problem, /circular/);
      if (name === "gifts") await until("the master has let go of all", () => fdsOf(master).length < open + 100);
      if (name === "remarks") assert.ok((await service.status()).addresses.length <= 100);
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0, service.output().slice(-2_000));
    });
  }

  test("nothing any more, having closed its channel, is replaced", async (t) => {
    const service = await startService(t, { app: "channel-attacks.mjs", workers: 2, flags: ["--backoff-delay", "10ms"] });
    await service.untilReady();
    const master = (await service.status()).pid;
    const { pid } = await attack(service, "disconnect");
    await until("another has its place", async () => {
      const pids = await service.workerPids();
      return pids.length === 2 && !pids.includes(pid);
    });
    await isUnharmed(service, master);
  });
});

const EXPECTED: Readonly<Record<string, string>> = {
  "no-json": "malformed",
  endless: "malformed",
  "nodes-own": "malformed",
  "nodes-own-handles": "malformed",
  forged: "forged",
  "no-letters": "malformed",
};

test("one worker's flood of junk keeps neither the other worker's death from the master nor an answer from who asks", async (t) => {
  const service = await startService(t, { app: "channel-attacks.mjs", workers: 2, flags: ["--backoff-delay", "10ms"] });
  await service.untilReady();
  const before = await service.workerPids();
  const flooding = attack(service, "junk");
  let asked = 0;
  let isOver = false;
  const probing = (async () => {
    while (!isOver) {
      assert.equal(await service.probe("live"), 200);
      asked++;
    }
  })();
  const { pid } = await flooding;
  const other = before.find((each) => each !== pid) as number;
  kill(other);
  await until("the other one is replaced", async () => {
    const pids = await service.workerPids();
    return pids.length === 2 && !pids.includes(other);
  });
  isOver = true;
  await probing;
  assert.ok(asked > 0);
});
