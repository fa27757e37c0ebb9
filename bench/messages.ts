// Messages from the agent to a worker through the master, Rollcall's and egg-cluster's in turn: `npm run bench:messages -- --help`. `--docs` writes the
// section of docs/benchmarks.md.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Arm, inBench, node } from "./arms/arm.ts";
import { range, table } from "./markdown.ts";
import { writeSection } from "./messages-section.ts";
import { killAllNow, signal, until } from "./processes.ts";
import { machine } from "./results.ts";
import { startService } from "./service.ts";
import { type Spread, spreadOf } from "./statistics.ts";

const SIZES = [100, 10_240] as const;
const BARS = { ratio: 1, lagMs: 20 } as const;
const CLI = inBench("../dist/cli/rollcall.js");
const LAG = ["--require", inBench("app/lag.cjs")];

interface Figures {
  readonly perSecond: number;
  readonly p99: number;
  readonly max: number;
}

interface Taken extends Figures {
  readonly arm: string;
  readonly bytes: number;
  readonly round: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    docs: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log("npm run bench:messages -- [--rounds <n>] [--seconds <n>] [--docs]      (first: npm ci --prefix bench)");
  process.exit(0);
}
if (!existsSync(inBench("node_modules/egg-cluster"))) {
  console.error("bench: egg-cluster is missing: npm ci --prefix bench");
  process.exit(1);
}
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const folder = mkdtempSync(join(os.tmpdir(), "rollcall-bench-"));
process.once("exit", () => {
  killAllNow();
  rmSync(folder, { recursive: true, force: true });
});
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => process.exit(130));

const taken: Taken[] = [];
const loads: number[] = [];
for (let round = 1; round <= rounds; round++) {
  for (const bytes of SIZES) {
    // In turn, and in the other order in every other round.
    const arms = round % 2 === 1 ? [rollcall(bytes), egg(bytes)] : [egg(bytes), rollcall(bytes)];
    for (const arm of arms) {
      const figures = await measure(arm);
      taken.push({ ...figures, arm: arm.name, bytes, round });
      loads.push(os.loadavg()[0] as number);
      const { perSecond, p99, max } = figures;
      console.log(
        `${round} ${String(bytes).padStart(6)} B  ${arm.name.padEnd(12)} ${Math.round(perSecond)}/s  lag p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`,
      );
    }
  }
}
const section = report();
console.log(`\n${section}`);
if (values.docs) writeSection(section);

function rollcall(bytes: number): Arm {
  const app = inBench("app/messages-rollcall.cjs");
  return {
    ...{ name: "rollcall", package: null, note: "", workers: "processes", hasMaster: true, reload: null, metricsPath: null },
    commands(options) {
      const flags = ["--agent", app, "--workers", "1", "--port", String(options.port), "--probes-port", String(options.probesPort)];
      return [node([...LAG, CLI, ...flags, "--metrics-port", String(options.metricsPort), app], options, environment(bytes))];
    },
  };
}

function egg(bytes: number): Arm {
  return {
    ...{ name: "egg-cluster", package: "egg-cluster", note: "", workers: "processes", hasMaster: true, reload: null, metricsPath: null },
    commands: (options) => [node([...LAG, inBench("app/egg.cjs")], options, { ...environment(bytes), FRAMEWORK: "egg-messages" })],
  };
}

function environment(bytes: number): Readonly<Record<string, string>> {
  return { MESSAGE_BYTES: String(bytes), MESSAGE_SECONDS: String(seconds) };
}

async function measure(arm: Arm): Promise<Figures> {
  const service = await startService(arm, 1, folder);
  const limitMs = 60_000 + seconds * 1_000;
  try {
    await until("the measure begins", () => service.output().includes("MEASURE BEGINS"), limitMs);
    signal(service.pid, "SIGWINCH");
    const result = await until("there is a result", () => /^RESULT (.*)$/m.exec(service.output())?.[1], limitMs);
    signal(service.pid, "SIGWINCH");
    const lag = await until("the lag is told", () => [...service.output().matchAll(/^LAG (.*)$/gm)].at(1)?.[1], limitMs);
    return { ...(JSON.parse(result) as { perSecond: number }), ...(JSON.parse(lag) as { p99: number; max: number }) };
  } finally {
    await service.stop();
  }
}

function report(): string {
  const { cpus, cpu, kernel, node: version } = machine();
  const load = spreadOf(loads);
  const rows = SIZES.flatMap((bytes) =>
    ["rollcall", "egg-cluster"].map((arm) => {
      const of = taken.filter((each) => each.arm === arm && each.bytes === bytes);
      const figure = (key: keyof Figures, digits: number): string => range(spreadOf(of.map((each) => each[key])) as Spread, digits);
      return [`${bytes} B`, arm, figure("perSecond", 0), figure("p99", 1), figure("max", 1)];
    }),
  );
  const bars = SIZES.map((bytes) => {
    const ratio = spreadOf(ratios(bytes)) as Spread;
    const lag = spreadOf(taken.filter((each) => each.arm === "rollcall" && each.bytes === bytes).map(({ p99 }) => p99)) as Spread;
    return [
      `${bytes} B`,
      range(ratio, 2),
      verdict(ratio.median >= BARS.ratio, ratio.max >= BARS.ratio),
      range(lag, 1),
      verdict(lag.median < BARS.lagMs, lag.min < BARS.lagMs),
    ];
  });
  return [
    "## Messages",
    `From the agent to one worker through the master, as fast as the worker reads. Taken ${new Date().toISOString().slice(0, 10)} with \`npm run bench:messages\`: ${rounds} rounds of ${seconds} s a measure, both in turn, ${cpus} CPUs (${cpu}), ${kernel}, Node ${version}; load average ${load === null ? "unknown" : range(load, 1)}. Medians with their range; lag is that of the master's event loop.`,
    table(["body", "through", "messages a second", "lag p99, ms", "lag max, ms"], rows),
    table(["body", `× egg-cluster (bar: ${BARS.ratio})`, "", `lag p99, ms (bar: ${BARS.lagMs})`, ""], bars),
  ].join("\n\n");
}

function ratios(bytes: number): readonly number[] {
  const at = (arm: string, round: number): number =>
    taken.find((each) => each.arm === arm && each.bytes === bytes && each.round === round)?.perSecond ?? Number.NaN;
  return Array.from({ length: rounds }, (_, index) => at("rollcall", index + 1) / at("egg-cluster", index + 1));
}

function verdict(isMet: boolean, isWithinNoise: boolean): string {
  if (isMet) return "met";
  return isWithinNoise ? "within noise" : "**short**";
}
