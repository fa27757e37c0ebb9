// A rolling reload under load: nothing may fail, nobody may hang.
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../processes.ts";
import type { Service } from "../service.ts";
import { type Context, type Load, metric } from "./load.ts";

const CLIENTS = 32;
const RELOAD_MS = 60_000;

export const reload: Load = {
  name: "reload",
  title: "Reload under load",
  how: `one reload while ${CLIENTS} clients ask, half on kept connections, half on new ones; hung is no answer within 3 s`,
  metrics: [metric("errors", "failed requests"), metric("hung", "hung"), metric("duration", "reload, ms"), metric("rps", "requests/s")],
  isFor: (arm) => arm.reload !== null,
  onShared: false,
  async run(context) {
    const service = await context.start();
    const old = await service.workers();
    const clients = context.clients(service.options.port, CLIENTS, 0.5);
    await sleep(500);
    const startedAt = performance.now();
    await reloadWholly(context, service, old);
    const duration = performance.now() - startedAt;
    await sleep(500);
    const { answered, lost, hung, failures } = await clients.stop();
    for (const [what, times] of failures) context.problem(`${times} × ${what}`);
    return { errors: lost, hung, duration, rps: answered / ((duration + 1_000) / 1_000) };
  },
};

/** Until whoever answered before is gone, and as many others answer. */
export async function reloadWholly(
  { arm, workers }: Pick<Context, "arm" | "workers">,
  service: Service,
  old: ReadonlySet<string>,
): Promise<void> {
  await arm.reload?.(service.pid, service.options);
  const oldPids = [...old].map((worker) => Number(worker.split(":")[0]));
  await until(
    "the old workers are gone",
    () => arm.workers === "threads" || !service.processes().some((pid) => oldPids.includes(pid)),
    RELOAD_MS,
  );
  await until(
    "new workers serve",
    async () => {
      const now = await service.workers();
      return now.size >= workers && ![...now].some((worker) => old.has(worker));
    },
    RELOAD_MS,
  );
}
