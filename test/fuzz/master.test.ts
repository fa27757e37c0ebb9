// The master, fuzzed through everything that it listens to: probes, metrics, control socket, signals, and the channels of a hostile child. It never
// ends, never grows without bound, and answers /live all the while. Seeded: ROLLCALL_SEED repeats it, ROLLCALL_FUZZ_SECONDS makes it longer.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type NetConnectOpts } from "node:net";
import { test } from "node:test";
import { type Chance, startChance } from "../helpers/seed.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";
import { controlJunk, httpJunk } from "./junk.ts";
import { type Lag, quantile, timed } from "./lag.ts";

const SECONDS = Number(process.env.ROLLCALL_FUZZ_SECONDS ?? 12);
const ATTACKERS = 4;
const PROBE_MS = 20;
/** A generous bound for a machine that does other things too; what was measured is printed. */
const MOST_LAG_MS = 2_000;
const MOST_GROWTH_BYTES = 64 * 1024 * 1024;
const SLACK_FDS = 12;
const SIGNALS: readonly NodeJS.Signals[] = ["SIGUSR2", "SIGUSR1", "SIGHUP", "SIGWINCH", "SIGCONT", "SIGPIPE"];

test("goes on, does not grow, and answers /live while everything that it listens to brings junk", {
  timeout: (SECONDS + 100) * 1_000,
}, async (t) => {
  const chance = startChance(t);
  const flags = [
    // The roll call is right to fail liveness when hostile workers are hardly ever ready: that is another test's.
    "--roll-call-period",
    "10h",
    "--backoff-delay",
    "10ms",
    "--backoff-limit",
    "50ms",
    "--max-restarts",
    "1000000",
    "--drain-idle",
    "20ms",
    "--stop-timeout",
    "8s",
  ];
  const service = await startService(t, {
    app: "fuzz-hostile.mjs",
    agent: "agent.mjs",
    workers: 2,
    flags: [...flags, "--log-level", "fatal"],
  });
  await service.untilReady();
  const counts = new Map<string, number>();
  const lags: Lag[] = [];
  const resident: number[] = [];
  const endsAt = performance.now() + SECONDS * 1_000;
  const isOn = (): boolean => performance.now() < endsAt && service.process.exitCode === null;

  const probing = (async () => {
    while (isOn()) {
      lags.push(await timed(service.pid, async () => assert.equal(await probe(service), 200)));
      resident.push(residentBytes(service.pid));
      await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
    }
  })();
  const attacking = Array.from({ length: ATTACKERS }, async () => {
    while (isOn()) {
      const kind = chance.pick(Object.keys(ATTACKS) as (keyof typeof ATTACKS)[]);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      await ATTACKS[kind](service, chance);
    }
  });
  await Promise.all([probing, ...attacking]);

  t.diagnostic([...counts].map(([kind, count]) => `${kind} ${count}`).join(", "));
  for (const [name, values] of [
    ["/live", lags.map(({ elapsedMs }) => elapsedMs)],
    ["the master's part of it", lags.map(({ ownMs }) => ownMs)],
  ] as const) {
    const [p50, p99, most] = [0.5, 0.99, 1].map((share) => quantile(values, share).toFixed(1));
    t.diagnostic(`${name}: ${values.length} times, p50 ${p50} ms, p99 ${p99} ms, max ${most} ms`);
  }
  const length = Math.ceil(resident.length / 4);
  const quarters = [0, 1, 2, 3].map((quarter) => resident.slice(quarter * length, (quarter + 1) * length));
  const mib = (share: number): string => quarters.map((each) => Math.round(quantile(each, share) / 2 ** 20)).join(", ");
  t.diagnostic(`resident in each quarter of the time: p50 ${mib(0.5)} MiB; max ${mib(1)} MiB`);
  const early = quantile(quarters[0] ?? [], 1);

  assert.equal(service.process.exitCode, null, service.output());
  assert.ok(lags.length > SECONDS, `only ${lags.length} probes were answered`);
  assert.ok(
    quantile(
      lags.map(({ ownMs }) => ownMs),
      1,
    ) < MOST_LAG_MS,
  );
  assert.ok(quantile(resident, 1) < early + MOST_GROWTH_BYTES);
  assert.doesNotMatch(service.output(), /unexpected error|MaxListenersExceededWarning/);
  await until("it has let go of everybody", () => descriptors(service.pid) < 2 * WORKERS_FDS + SLACK_FDS + 60);
  await until("every worker serves", async () => {
    const { workers, workersTarget } = await service.status();
    return workers.filter((slot) => slot.processes.some(({ state }) => state === "ready")).length === workersTarget;
  });
  service.signal("SIGTERM");
  assert.ok([0, 8].includes((await service.exited()).code as number), service.output());
});

/** Each waits until its own is over, so that they do not heap up. */
const ATTACKS = {
  probes: (service: Service, chance: Chance) => say({ port: service.probesPort, host: "127.0.0.1" }, httpJunk(chance), chance),
  metrics: (service: Service, chance: Chance) => say({ port: service.metricsPort, host: "127.0.0.1" }, httpJunk(chance), chance),
  control: (service: Service, chance: Chance) => say({ path: service.control }, controlJunk(chance), chance),
  child: async (service: Service, chance: Chance) => {
    const url = service.url(`/attack?seed=${chance.below(2 ** 31)}`);
    await fetch(url, { headers: { connection: "close" }, signal: AbortSignal.timeout(2_000) }).then(
      (response) => response.text(),
      () => {},
    );
  },
  signal: async (service: Service, chance: Chance) => {
    if (chance.below(10) === 0) service.signal(chance.pick(SIGNALS));
  },
};

/** Sends, perhaps waits for an answer, and leaves in one of several ways. */
function say(where: NetConnectOpts, junk: Buffer, { below }: Chance): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(where);
    // Not by its "close": a socket that was to be reset while it was ending never says so.
    const leave = (): void => {
      socket.destroy();
      resolve();
    };
    const timer = setTimeout(leave, 20 + below(300));
    socket.on("error", leave).once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.once("connect", () => {
      socket.write(junk.subarray(0, below(junk.length + 1)));
      socket.write(junk);
      if (below(3) === 0) socket.end();
      else if ("port" in where && below(8) === 0) socket.resetAndDestroy();
    });
    if (below(2) === 0) socket.resume();
  });
}

async function probe(service: Service): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${service.probesPort}/live`, { headers: { connection: "close" } });
  await response.text();
  return response.status;
}

/** Channel, pipe for letters and sockets of a worker. */
const WORKERS_FDS = 6;

function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}
