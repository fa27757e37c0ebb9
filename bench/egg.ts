// Egg applications under egg-cluster and under Rollcall, side by side: `npm run egg && npm run build && node bench/egg.ts`, about three minutes. Prints the table of docs/egg.md.
// Both have two workers and NODE_ENV=production; what is counted is what clients and the process table show.
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../test/helpers/ports.ts";
import { childrenOf, isAlive, kill } from "../test/helpers/processes.ts";

const WORKERS = 2;
const HUNG_MS = 8_000;
const KILLS = 6;
const RELOADS = 3;

type Side = "egg-cluster" | "Rollcall";

interface Started {
  readonly master: ChildProcess;
  readonly port: number;
  readonly readyMs: number;
  readonly exited: Promise<{ readonly code: number | null; readonly afterMs: number }>;
}

const root = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const logs = join(tmpdir(), `egg-bench-${process.pid}`);

async function start(side: Side, version: number): Promise<Started> {
  const [port, probesPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const baseDir = root(`test/fixtures/egg/egg${version}`);
  const options = { baseDir, workers: WORKERS, port, framework: join(baseDir, "node_modules/egg") };
  const env = { ...process.env, NODE_ENV: "production", EGG_FIXTURE_LOGS: logs, OPTIONS: JSON.stringify(options), ROLLCALL_SETTLE: "0" };
  const ports = ["--probes-port", probesPort, "--metrics-port", metricsPort, "--port", port].map(String);
  const args = ["--egg", baseDir, "--workers", String(WORKERS), "--control", "off", ...ports];
  const startedAt = performance.now();
  const master =
    side === "Rollcall"
      ? fork(root("dist/cli/rollcall.js"), args, { env, silent: true })
      : fork(root(`bench/egg-cluster.mjs`), [], { env, silent: true });
  master.stdout?.resume();
  master.stderr?.resume();
  let signalledAt = 0;
  const send = master.kill.bind(master);
  master.kill = (signal) => {
    signalledAt = performance.now();
    return send(signal);
  };
  const exited = new Promise<{ code: number | null; afterMs: number }>((resolve) =>
    master.once("exit", (code) => resolve({ code, afterMs: Math.round(performance.now() - signalledAt) })),
  );
  await new Promise<void>((resolve) =>
    master.on("message", (letter) => (letter as { action?: string }).action === "egg-ready" && resolve()),
  );
  return { master, port, readyMs: Math.round(performance.now() - startedAt), exited };
}

/** "ok", "hung", or what went wrong. */
function ask(port: number, path: string, agent: http.Agent | false): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get({ port, path, agent, host: "127.0.0.1", timeout: HUNG_MS }, (response) => {
      response.on("error", ({ message }) => resolve(message));
      response.on("end", () => resolve(response.statusCode === 200 ? "ok" : `status ${response.statusCode}`)).resume();
    });
    request.on("timeout", () => {
      resolve("hung");
      request.destroy();
    });
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

interface Counts {
  ok: number;
  failed: number;
  hung: number;
}

/** 16 clients, half of them with keep-alive, while the deed is done. */
async function underLoad(port: number, deed: () => Promise<void>): Promise<Counts> {
  const counts: Counts = { ok: 0, failed: 0, hung: 0 };
  let running = true;
  const clients = Array.from({ length: 16 }, async (_, index) => {
    const agent = index % 2 === 0 && new http.Agent({ keepAlive: true, maxSockets: 1 });
    while (running) {
      const said = await ask(port, "/", agent);
      counts[said === "ok" || said === "hung" ? said : "failed"]++;
      // Whoever is refused does not come back at once.
      if (said !== "ok") await sleep(20);
    }
    if (agent !== false) agent.destroy();
  });
  await deed();
  running = false;
  await Promise.all(clients);
  return counts;
}

/** The pids of those who answer. */
async function workerPids(port: number): Promise<readonly number[]> {
  const pids = await Promise.all(
    Array.from({ length: 20 }, () =>
      fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" }, signal: AbortSignal.timeout(2_000) })
        .then(async (response) => ((await response.json()) as { pid: number }).pid)
        .catch(() => 0),
    ),
  );
  return [...new Set(pids)].filter((pid) => pid > 0);
}

async function untilWorkers(port: number, isRight: (pids: readonly number[]) => boolean): Promise<readonly number[]> {
  for (const endsAt = performance.now() + 15_000; performance.now() < endsAt; await sleep(200)) {
    const pids = await workerPids(port);
    if (isRight(pids)) return pids;
  }
  return workerPids(port);
}

const megabytes = (pid: number): number =>
  Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);
const inWords = ({ failed, hung, ok }: Counts): string => `${failed} failed, ${hung} hung of ${ok + failed + hung}`;

async function measure(side: Side, version: number): Promise<Readonly<Record<string, string>>> {
  const { master, port, readyMs, exited } = await start(side, version);
  const pid = master.pid as number;
  const pids = await untilWorkers(port, (found) => found.length === WORKERS);
  const memory = `master ${megabytes(pid)}, workers ${pids.map(megabytes).join(" + ")} MiB`;

  console.error(`Egg ${version}, ${side}: ready`);
  const killed = await underLoad(port, async () => {
    for (let turn = 0; turn < KILLS; turn++) {
      const [victim = 0] = await untilWorkers(port, (found) => found.length === WORKERS);
      kill(victim);
      await untilWorkers(port, (found) => found.length === WORKERS && !found.includes(victim));
    }
  });

  const reloaded = await underLoad(port, async () => {
    for (let turn = 0; turn < RELOADS; turn++) {
      const before = await untilWorkers(port, (found) => found.length >= WORKERS);
      master.send({ action: "reload-worker", to: "master" });
      await untilWorkers(port, (found) => found.length >= WORKERS && !found.some((each) => before.includes(each)));
      await sleep(2_000);
    }
  });
  console.error(`Egg ${version}, ${side}: reloaded`);
  const serving = (await untilWorkers(port, () => true)).length;

  const slow = Array.from({ length: 10 }, () => ask(port, "/slow?ms=2000", false));
  await sleep(500);
  const family = childrenOf(pid);
  master.kill("SIGTERM");
  const finished = (await Promise.all(slow)).filter((said) => said === "ok").length;
  const { code, afterMs } = await exited;
  for (const each of family) if (isAlive(each)) kill(each);
  return {
    "start to egg-ready": `${(readyMs / 1_000).toFixed(1)} s`,
    "resident memory": memory,
    [`${KILLS} workers killed (SIGKILL) under 16 clients`]: inWords(killed),
    [`${RELOADS} reloads under 16 clients`]: inWords(reloaded),
    [`workers after that, of ${WORKERS}`]: String(serving),
    "SIGTERM with 10 requests of 2 s in hand": `${finished} of 10 answered; exit ${code} after ${(afterMs / 1_000).toFixed(1)} s`,
  };
}

const columns: (readonly [title: string, facts: Readonly<Record<string, string>>])[] = [];
for (const version of [3, 4])
  for (const side of ["egg-cluster", "Rollcall"] as const) columns.push([`Egg ${version}, ${side}`, await measure(side, version)]);
rmSync(logs, { recursive: true, force: true });
console.log(`Node ${process.version}\n`);
console.log(`| | ${columns.map(([title]) => title).join(" | ")} |`);
console.log(`|---|${columns.map(() => "---|").join("")}`);
for (const name of Object.keys(columns[0]?.[1] ?? {})) console.log(`| ${name} | ${columns.map(([, facts]) => facts[name]).join(" | ")} |`);
