// From 1 to 64 workers: what the master costs when it does nothing, how long a reload and a scrape take.
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSeconds } from "../../src/system/procfs.ts";
import { memoryOf } from "../processes.ts";
import { askOnce } from "../request.ts";
import type { Service } from "../service.ts";
import { median } from "../statistics.ts";
import { type Load, metric } from "./load.ts";
import { reloadWholly } from "./reload.ts";

const IDLE_SECONDS = 4;
const GROWN = new Set(["node:cluster", "pm2-runtime", "rollcall paired"]);

export const growths: readonly Load[] = [1, 4, 16, 64].map((workers) => ({
  name: `growth-${workers}`,
  title: `Growth: ${workers} worker${workers === 1 ? "" : "s"}`,
  how: `CPU of the idle master over ${IDLE_SECONDS} s; private memory; an unloaded reload; median of 5 scrapes of /metrics`,
  metrics: [
    metric("all", "all serve, ms"),
    metric("cpu", "master CPU idle, %", 2),
    metric("master", "master private, MiB", 1),
    metric("pss", "whole PSS, MiB"),
    metric("reload", "reload, ms"),
    metric("scrape", "scrape, ms", 1),
  ],
  isFor: (arm) => GROWN.has(arm.name),
  onShared: false,
  rounds: 1,
  async run(context) {
    const { arm } = context;
    const service = await context.start(workers);
    await sleep(1_000);
    const before = cpuSeconds(service.pid) ?? Number.NaN;
    await sleep(IDLE_SECONDS * 1_000);
    const cpu = (((cpuSeconds(service.pid) ?? Number.NaN) - before) / IDLE_SECONDS) * 100;
    const master = memoryOf(service.pid).privateMiB;
    const pss = service.processes().reduce((sum, pid) => sum + memoryOf(pid).pssMiB, 0);
    const scrape = arm.metricsPath === null ? {} : { scrape: await scrapeMs(service, arm.metricsPath) };
    const reload = arm.reload === null ? {} : { reload: await reloadMs(service, { arm, workers }) };
    return { all: service.allServeMs, cpu, master, pss, ...scrape, ...reload };
  },
}));

async function scrapeMs(service: Service, path: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const startedAt = performance.now();
    const { status } = await askOnce(service.options.metricsPort, path, 10_000);
    if (status !== 200) throw new Error(`${path} answered ${status}`);
    times.push(performance.now() - startedAt);
  }
  return median(times);
}

async function reloadMs(service: Service, whom: Parameters<typeof reloadWholly>[0]): Promise<number> {
  const old = await service.workers();
  const startedAt = performance.now();
  await reloadWholly(whom, service, old);
  return performance.now() - startedAt;
}
