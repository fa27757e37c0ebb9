// P8. Counters live in the master: the death of a worker takes nothing away.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** Every counter of the service, by name and labels. */
async function counters(service: Service): Promise<ReadonlyMap<string, number>> {
  const text = await service.metrics();
  const names = [...text.matchAll(/^# TYPE (rollcall_\w+) counter$/gm)].map((match) => match[1]);
  const samples = text.split("\n").filter((line) => names.some((name) => line.startsWith(`${name}{`) || line.startsWith(`${name} `)));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]));
}

test("never lowers or loses a counter while workers are killed and scaled away", async (t) => {
  const service = await startService(t, {
    app: "http.mjs",
    workers: 2,
    agent: "agent.mjs",
    flags: ["--backoff-delay", "10ms", "--max-restarts", "1000"],
  });
  await service.untilReady();
  let before = await counters(service);
  const check = async (): Promise<void> => {
    const now = await counters(service);
    for (const [name, value] of before) assert.ok((now.get(name) ?? -1) >= value, `${name}: ${value} → ${now.get(name)}`);
    before = now;
  };
  /** Waits, and looks at every counter at each try. */
  const watch = (what: string, isSo: () => boolean | Promise<boolean>) =>
    until(what, async () => {
      await check();
      return isSo();
    });
  const total = () => [...before].filter(([name]) => name.startsWith("rollcall_requests_total")).reduce((sum, [, value]) => sum + value, 0);
  for (let round = 1; round <= 3; round++) {
    const asked = total();
    for (let i = 0; i < 20; i++) await (await fetch(service.url("/"), { headers: { connection: "close" } })).text();
    await watch("the heartbeats have told of the requests", () => total() >= asked + 20);
    for (const pid of await service.workerPids()) process.kill(pid, "SIGKILL");
    const killed = 'rollcall_process_exits_total{role="worker",outcome="killed"}';
    await watch("both are replaced", async () => (await service.metric(killed)) === 2 * round);
    await watch("both serve", async () => (await service.workerPids()).length === 2);
  }
  service.signal("SIGTTOU");
  await watch("one is scaled away", async () => (await service.status()).workers.length === 1);
  service.signal("SIGTTIN");
  await watch("it is back", async () => (await service.workerPids()).length === 2);
});
