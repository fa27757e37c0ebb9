// Boot to the first 200, and private memory of the idle master, against bare Node: `npm run build && node bench/start.ts [rounds]`.
// Arms interleaved, medians with their range, ratios; a table for people on stdout.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const rounds = Number(process.argv[2] ?? 7);
const PORT = 18_080;
const WORKERS = 2;
const ROLLCALL = fileURLToPath(new URL("../dist/cli/rollcall.js", import.meta.url));
const folder = mkdtempSync(join(os.tmpdir(), "rollcall-bench-"));
const app = join(folder, "app.mjs");
const cluster = join(folder, "cluster.mjs");
const idle = join(folder, "idle.mjs");
writeFileSync(app, `import http from "node:http";\nhttp.createServer((_, response) => response.end("hello")).listen(${PORT});\n`);
writeFileSync(
  cluster,
  `import cluster from "node:cluster";\nif (cluster.isPrimary) for (let i = 0; i < ${WORKERS}; i++) cluster.fork();\nelse await import("./app.mjs");\n`,
);
writeFileSync(idle, "setInterval(() => {}, 1e6);\n");

const probes = ["--probes-port", "18081", "--metrics-port", "18082"];
const ARMS: Readonly<Record<string, readonly string[]>> = {
  "node:cluster": [cluster],
  rollcall: [ROLLCALL, "--workers", String(WORKERS), "--port", String(PORT), ...probes, app],
};

try {
  const boots: Record<string, number[]> = {};
  const memory: Record<string, number[]> = { "node, idle": [], "rollcall's master": [] };
  for (let round = 0; round < rounds; round++) {
    for (const [name, command] of Object.entries(ARMS)) {
      const { bootMs, child } = await boot(command);
      boots[name] = [...(boots[name] ?? []), bootMs];
      if (name === "rollcall") {
        await sleep(1_500);
        memory["rollcall's master"]?.push(privateMiB(child.pid as number));
      }
      await end(child);
    }
    const bare = spawn(process.execPath, [idle], { stdio: "ignore" });
    await sleep(1_500);
    memory["node, idle"]?.push(privateMiB(bare.pid as number));
    await end(bare);
  }
  console.log(`Node ${process.version}, ${os.cpus()[0]?.model}, ${os.availableParallelism()} CPUs, ${rounds} rounds, ${WORKERS} workers\n`);
  report("boot to first 200, ms", boots, "node:cluster");
  report("private memory, MiB", memory, "node, idle");
} finally {
  rmSync(folder, { recursive: true });
}

async function boot(command: readonly string[]): Promise<{ bootMs: number; child: ChildProcess }> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, command, { stdio: "ignore", env: { ...process.env, NODE_ENV: "production" } });
  while ((await status()) !== 200) {
    if (performance.now() - startedAt > 20_000) throw new Error(`no answer from ${command.join(" ")}`);
    await sleep(2);
  }
  return { bootMs: performance.now() - startedAt, child };
}

function status(): Promise<number> {
  return new Promise((resolve) => {
    const request = http.get({ port: PORT, host: "127.0.0.1", agent: false, timeout: 1_000 }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("error", () => resolve(0)).on("timeout", () => request.destroy());
  });
}

async function end(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exited;
  while ((await status()) !== 0) await sleep(10);
}

/** Memory that nobody shares: it does not depend on who else maps the same binary. */
function privateMiB(pid: number): number {
  const smaps = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = [...smaps.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  return kib / 1024;
}

function report(what: string, arms: Readonly<Record<string, readonly number[]>>, base: string): void {
  const of = (name: string): number => median(arms[name] ?? []);
  for (const [name, values] of Object.entries(arms)) {
    const range = `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;
    console.log(
      `${what.padEnd(24)} ${name.padEnd(18)} ${of(name).toFixed(0).padStart(6)}  (${range})  ${(of(name) / of(base)).toFixed(2)} ×`,
    );
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
