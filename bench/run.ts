// The rounds: for each load all arms in turn, each round starting with another one. A failure is a result; it ends nothing.
import os from "node:os";
import type { Arm } from "./arms/arm.ts";
import { type Clients, startClients } from "./clients.ts";
import type { Load } from "./loads/load.ts";
import type { Measure } from "./results.ts";
import { type Service, startService } from "./service.ts";

export interface Plan {
  readonly arms: readonly Arm[];
  readonly loads: readonly Load[];
  readonly rounds: number;
  readonly seconds: number;
  readonly workers: number;
  readonly folder: string;
}

/** A measure that takes longer has hung. */
const MEASURE_MS = 240_000;

export async function runRounds(plan: Plan, onMeasure: (measure: Measure) => void): Promise<void> {
  const shared = new Map<Arm, Service>();
  for (let round = 1; round <= plan.rounds; round++) {
    for (const load of plan.loads) {
      if (round > (load.rounds ?? plan.rounds)) continue;
      if (!load.onShared) await stopAll(shared);
      for (const arm of rotated(plan.arms, round - 1)) if (load.isFor(arm)) onMeasure(await measure(plan, load, arm, round, shared));
    }
    await stopAll(shared);
  }
}

async function measure(plan: Plan, load: Load, arm: Arm, round: number, shared: Map<Arm, Service>): Promise<Measure> {
  const own: Service[] = [];
  const clients: Clients[] = [];
  const problems: string[] = [];
  const workers = arm.workers === "one" ? 1 : plan.workers;
  let values: Readonly<Record<string, number>> = {};
  let timer: NodeJS.Timeout | undefined;
  try {
    const measured = load.run({
      arm,
      seconds: plan.seconds,
      workers,
      async shared() {
        const service = shared.get(arm) ?? (await startService(arm, workers, plan.folder));
        shared.set(arm, service);
        return service;
      },
      async start(count = workers, rebornAfterMs = null) {
        const service = await startService(arm, count, plan.folder, rebornAfterMs);
        own.push(service);
        return service;
      },
      clients(...asked) {
        clients.push(startClients(...asked));
        return clients.at(-1) as Clients;
      },
      problem: (text) => void problems.push(text),
    });
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${MEASURE_MS / 1_000} s`)), MEASURE_MS);
    });
    values = await Promise.race([measured, late]);
  } catch (error) {
    problems.push(`failed: ${(error as Error).message}`);
    own.push(...[shared.get(arm)].filter((service) => service !== undefined));
    shared.delete(arm);
  }
  clearTimeout(timer);
  // Of a load that failed some are left: refused at once, they would ask for as long as the run lasts.
  for (const each of clients) await each.stop();
  for (const service of own) await service.stop().catch((error: Error) => problems.push(`did not stop: ${error.message}`));
  return { load: load.name, arm: arm.name, round, values, problems, loadAverage: os.loadavg()[0] ?? Number.NaN };
}

async function stopAll(shared: Map<Arm, Service>): Promise<void> {
  await Promise.all([...shared.values()].map((service) => service.stop().catch(() => {})));
  shared.clear();
}

function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
