// Rollcall and its peers under the same loads: `npm run bench -- --help`. Figures go to a JSON file; report.ts makes the page of them.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { inBench } from "./arms/arm.ts";
import { oneProcess } from "./arms/bare.ts";
import { HELP, parseOptions } from "./options.ts";
import { killAllNow } from "./processes.ts";
import { writeDocs } from "./report.ts";
import { type Measure, machine, type Results, versions } from "./results.ts";
import { runRounds } from "./run.ts";
import { checkSameness } from "./sameness.ts";
import { wrkVersion } from "./wrk.ts";

const options = parseOptions(process.argv.slice(2));
if (options === null) {
  console.log(HELP);
  process.exit(0);
}
if (!existsSync(inBench("node_modules/pm2"))) stop("the peers are missing: npm ci --prefix bench");
if (!existsSync(inBench("../dist/cli/rollcall.js"))) stop("Rollcall is not built: npm run build");
if (wrkVersion() === null) stop("wrk is missing: apt-get install wrk");

const startedAt = performance.now();
const folder = mkdtempSync(join(os.tmpdir(), "rollcall-bench-"));
process.once("exit", () => {
  killAllNow();
  rmSync(folder, { recursive: true, force: true });
  console.log(`took ${seconds()} s`);
});
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(name, () => process.exit(130));

const { arms, remarks } = await checkSameness(options.arms, oneProcess, folder);
for (const remark of remarks) console.log(`! ${remark}`);
const measures: Measure[] = [];
write();
await runRounds({ ...options, arms, folder }, (measure) => {
  measures.push(measure);
  print(measure);
  // After each measure: what is done stays when the run is broken off.
  write();
});
if (options.docs) writeDocs(options.out);

function write(): void {
  const { arms: asked, loads, base, seconds: each, rounds, workers, out } = options as NonNullable<typeof options>;
  const results: Results = {
    date: new Date().toISOString(),
    command: ["npm run bench --", ...process.argv.slice(2)].join(" "),
    machine: machine(),
    versions: versions(asked),
    options: { seconds: each, rounds, workers, base: base.name },
    arms: arms.map(({ name }) => name),
    loads: loads.map(({ name }) => name),
    remarks,
    measures,
    tookSeconds: seconds(),
  };
  writeFileSync(out, `${JSON.stringify(results, null, 1)}\n`);
}

function print({ round, load, arm, values, problems, loadAverage }: Measure): void {
  const figures = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(value < 100 ? 2 : 0)}`);
  console.log(`${round} ${load.padEnd(11)} ${arm.padEnd(21)} ${figures.join("  ").padEnd(60)} load ${loadAverage.toFixed(1)}`);
  for (const problem of problems) console.log(`  ! ${problem.slice(0, 400)}`);
}

function seconds(): number {
  return Math.round((performance.now() - startedAt) / 1_000);
}

function stop(why: string): never {
  console.error(`bench: ${why}`);
  process.exit(1);
}
