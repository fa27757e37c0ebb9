// One slot's worker is killed every 2.5 s and is back 1.5 s later: how much is answered against undisturbed, and how slowly at worst.
import { setTimeout as sleep } from "node:timers/promises";
import type { Tally } from "../clients.ts";
import { signal, until } from "../processes.ts";
import type { Service } from "../service.ts";
import { type Load, metric } from "./load.ts";

const CLIENTS = 32;
const KILL_EVERY_MS = 2_500;
const REBORN_AFTER_MS = 1_500;
const HAS_DELAY = new Set(["node:cluster", "pm2-runtime", "rollcall paired", "rollcall per-worker", "rollcall shared"]);

export const crash: Load = {
  name: "crash",
  title: "A worker killed every 2.5 s and reborn after 1.5 s",
  how: `${CLIENTS} clients, one connection per request, 10 s, against the same undisturbed just before; arms whose restarts can be delayed so`,
  metrics: [
    metric("answered", "answered/s", 0, true),
    metric("undisturbed", "of undisturbed", 2),
    metric("lost", "lost"),
    metric("hung", "hung"),
    metric("slowest", "slowest, ms"),
  ],
  isFor: (arm) => HAS_DELAY.has(arm.name),
  onShared: false,
  async run({ start, clients: startClients, seconds, workers }) {
    const service = await start(workers, REBORN_AFTER_MS);
    const { port } = service.options;
    // The first restart may come at once; from the second on the delay counts.
    let victim = Number([...(await service.workers())][0]?.split(":")[0]);
    // Before the kill: the successor may be there before the next line.
    const first = service.processes();
    signal(victim, "SIGKILL");
    victim = await successorOf(first, service, workers);

    const before = startClients(port, CLIENTS, 0);
    await sleep(500 * seconds);
    before.tally.answered = 0;
    const quietAt = performance.now();
    await sleep(1_000 * seconds);
    // Before they stop: whoever hangs would take the rate down by the wait for it.
    const undisturbed = perSecond(before.tally, quietAt);
    await before.stop();

    const clients = startClients(port, CLIENTS, 0);
    const startedAt = performance.now();
    for (let kill = 1; kill <= 3; kill++) {
      await sleep(startedAt + kill * KILL_EVERY_MS - performance.now());
      const others = service.processes();
      signal(victim, "SIGKILL");
      if (kill < 3) victim = await successorOf(others, service, workers, false);
    }
    await sleep(startedAt + 4 * KILL_EVERY_MS - performance.now());
    const answered = perSecond(clients.tally, startedAt);
    const { lost, hung, slowestMs } = await clients.stop();
    return { answered, undisturbed: answered / undisturbed, lost, hung, slowest: slowestMs };
  },
};

/** The process that came for it; with `serving`, once all serve again. */
async function successorOf(before: readonly number[], service: Service, workers: number, serving = true): Promise<number> {
  const known = new Set(before);
  const pid = await until("a successor is there", () => service.processes().find((each) => !known.has(each)), 15_000, 50);
  if (serving) await until("all serve again", async () => (await service.workers()).size >= workers, 15_000, 50);
  return pid;
}

function perSecond(tally: Tally, since: number): number {
  return tally.answered / ((performance.now() - since) / 1_000);
}
