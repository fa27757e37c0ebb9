// P9 for hours: cycles of a reload and a kill leave the master's descriptors, handles, timers, listeners and memory flat. About 15 minutes for
// the 1,000 cycles of the default. ROLLCALL_SOAK_CYCLES sets another number, ROLLCALL_SOAK_HOURS goes on for so long whatever the cycles,
// ROLLCALL_SEED repeats a run.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { fdsOf } from "../helpers/listeners.ts";
import { startLoad } from "../helpers/load.ts";
import { childrenOf, kill } from "../helpers/processes.ts";
import { startChance } from "../helpers/seed.ts";
import type { Service } from "../helpers/service.ts";
import { STRATEGIES, startUnderLoad, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const CYCLES = Number(process.env.ROLLCALL_SOAK_CYCLES ?? 1_000);
const HOURS = Number(process.env.ROLLCALL_SOAK_HOURS ?? 0);
const STRATEGY = STRATEGIES.find((each) => each === process.env.ROLLCALL_SOAK_LISTEN) ?? "paired";
/** What is compared with the end: by then all that is made once has been made, and the optimising compiler is done. */
const WARM_UP = Math.max(1, Math.min(100, Math.floor(CYCLES / 10)));
const SAMPLE_EVERY = Math.max(1, Math.floor(CYCLES / 20));
const WORKERS = 2;
const MIB = 1 << 20;
/** What a heap that is not collected at the moment of the sample may differ by. A leak of 20 KiB per cycle is 20 MiB after 1,000. */
const HEAP_SLACK_BYTES = 8 * MIB;
const RSS_SLACK_BYTES = 24 * MIB;
/** The probes and scrapes of this test come and go. */
const FD_SLACK = 2;

interface Sample {
  readonly cycle: number;
  readonly fds: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** As Node counts them in the master, by type: sockets, pipes, timers and so on. */
  readonly active: Readonly<Record<string, number>>;
}

describe("soak", { timeout: HOURS * 3_600_000 + CYCLES * 30_000 + 600_000 }, () => {
  test(`${STRATEGY}: ${HOURS > 0 ? `${HOURS} hours` : `${CYCLES} cycles`} of reload and kill leave the master as it was`, async (t) => {
    const chance = startChance(t);
    const startedAt = performance.now();
    const service = await startUnderLoad(
      t,
      { listen: STRATEGY, declared: true },
      { workers: WORKERS, flags: ["--backoff-delay", "0ms", "--max-restarts", "1000000", "--drain-idle", "100ms", "--log-level", "warn"] },
    );
    await service.untilReady();
    const load = startLoad(t, service.url("/"), 2);
    const samples: Sample[] = [];
    const endsAt = startedAt + HOURS * 3_600_000;
    let cycle = 0;
    while (HOURS > 0 ? performance.now() < endsAt : cycle < CYCLES) {
      await runCycle(service, ++cycle, chance.pick(["reload-first", "kill-first"]), () => chance.pick(childrenOf(service.pid)));
      if (cycle === WARM_UP || cycle % SAMPLE_EVERY === 0) samples.push(await takeSample(t, service, cycle));
    }
    await load.stop();
    samples.push(await takeSample(t, service, cycle));
    t.diagnostic(`${cycle} cycles in ${Math.round((performance.now() - startedAt) / 1_000)} s, ${load.succeeded()} requests beside them`);

    assertFlat(samples);
    assert.doesNotMatch(service.output(), /MaxListenersExceededWarning|Warning: Possible/, "no listener piles up");
    assert.equal(await service.metric('rollcall_reloads_total{result="failure"}'), 0);
    assert.equal(await service.metric('rollcall_reloads_total{result="success"}'), cycle);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0);
  });
});

/** One reload and one kill. A kill in the reload's midst would abort it, as it should; that is the storm's subject. */
async function runCycle(service: Service, cycle: number, order: "reload-first" | "kill-first", victim: () => number): Promise<void> {
  const reload = async (): Promise<void> => {
    service.signal("SIGHUP");
    await untilWhole(service, 1 + cycle, WORKERS);
  };
  const killOne = async (): Promise<void> => {
    const pid = victim();
    kill(pid);
    await until("it is gone", () => !childrenOf(service.pid).includes(pid));
    await untilWhole(service, order === "kill-first" ? cycle : 1 + cycle, WORKERS);
  };
  const steps = order === "reload-first" ? [reload, killOne] : [killOne, reload];
  for (const step of steps) await step();
}

async function takeSample(t: TestContext, service: Service, cycle: number): Promise<Sample> {
  const metrics = await service.metrics();
  const heapBytes = Number(/^nodejs_heap_size_used_bytes (\S+)/m.exec(metrics)?.[1]);
  const status = readFileSync(`/proc/${service.pid}/status`, "latin1");
  const rssBytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
  const active: Record<string, number> = {};
  for (const [, kind, type, count] of metrics.matchAll(/^nodejs_active_(handles|resources|requests)\{type="([^"]+)"\} (\d+)/gm))
    active[`${kind} ${type}`] = Number(count);
  const sample = { cycle, fds: fdsOf(service.pid).length, heapBytes, rssBytes, active };
  const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
  t.diagnostic(`cycle ${cycle}: ${sample.fds} fds, heap ${mib(heapBytes)} MiB, rss ${mib(rssBytes)} MiB, active ${JSON.stringify(active)}`);
  return sample;
}

/**
 * The end against the time after the warm-up. The heap by the least of each half: what is not collected yet is no leak. Resident memory by the most: it does
 * not fall, and grows until the young generation has the size that the load asks for.
 */
function assertFlat(samples: readonly Sample[]): void {
  const [first] = samples;
  const last = samples.at(-1);
  assert.ok(first !== undefined && last !== undefined);
  assert.ok(last.fds <= first.fds + FD_SLACK, `descriptors: ${first.fds} → ${last.fds}`);
  const types = Object.keys(last.active);
  assert.ok(types.length > 0, "the master says what is active in it");
  for (const type of types) {
    const before = first.active[type] ?? 0;
    const now = last.active[type] ?? 0;
    assert.ok(now <= before + FD_SLACK, `${type}: ${before} → ${now}`);
  }
  if (samples.length < 4) return;
  const half = Math.ceil(samples.length / 2);
  const grew = (key: "heapBytes" | "rssBytes", pick: (...bytes: number[]) => number): number => {
    const [earlier, later] = [samples.slice(0, half), samples.slice(half)].map((part) => pick(...part.map((sample) => sample[key])));
    return (later as number) - (earlier as number);
  };
  const heapGrew = grew("heapBytes", Math.min);
  const rssGrew = grew("rssBytes", Math.max);
  assert.ok(heapGrew < HEAP_SLACK_BYTES, `heap: grew by ${heapGrew} bytes`);
  assert.ok(rssGrew < RSS_SLACK_BYTES, `resident memory: grew by ${rssGrew} bytes`);
}
