// The weak points of the classic servers, played on Rollcall and its peers by the same script: `npm run weak-points`, which needs `npm ci --prefix bench`;
// with `-- --docs` it writes docs/weak-points.md. One arm and one scenario at a time, about ten minutes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { pidsIn, readStat } from "../src/system/procfs.ts";
import type { Arm } from "./arms/arm.ts";
import { egg } from "./arms/egg.ts";
import { pm2 } from "./arms/pm2.ts";
import { rollcalls } from "./arms/rollcall.ts";
import { watt } from "./arms/watt.ts";
import { killAll, killAllNow, signal, until } from "./processes.ts";
import { connect, Hung } from "./request.ts";
import { type Service, startService } from "./service.ts";
import { type Measured, weakPointsPage } from "./weak-points-page.ts";

const WORKERS = 2;
const PAGE = fileURLToPath(new URL("../docs/weak-points.md", import.meta.url));
const HUNG_MS = 8_000;
const ARMS = { egg, pm2, watt, rollcall: rollcalls[0] as Arm } as const;
const PID_1 = ["--pid", "--fork", "--mount-proc"];

type Play = (arm: Arm, folder: string) => Promise<string>;

/** Each says in a few words what it saw. */
const SCENARIOS: Readonly<Record<string, Play>> = {
  W1: played(async (service) => `${await stopWithTen(service, () => signal(service.pid, "SIGTERM"))}`),
  W2: async (arm, folder) => {
    const lost: string[] = [];
    for (const ms of [100, 300, 600]) if (await isLost(arm, folder, ms)) lost.push(`${ms} ms`);
    return lost.length === 0 ? "never lost" : `lost at ${lost.join(", ")}`;
  },
  W3: played(async (service) => {
    hang(service);
    await sleep(1_500);
    signal(service.pid, "SIGTERM");
    return leftAfter(service, 15_000);
  }),
  W6: played(async (service) => {
    if (service.arm.workers === "threads") return "threads cannot be killed";
    for (const pid of await workerPids(service)) signal(pid, "SIGKILL");
    const back = await until("both are back", async () => (await service.workers()).size >= WORKERS, 15_000).catch(() => false);
    return back === false ? `${(await service.workers()).size} of ${WORKERS} workers after 15 s` : "both replaced";
  }, withoutNodeEnv),
  W7: played(async (service) => {
    const before = await service.workers();
    hang(service);
    await sleep(1_500);
    const answers = await Promise.all(Array.from({ length: 20 }, () => one(service, "/")));
    const hung = answers.filter((answer) => answer === "hung").length;
    const isNew = async (): Promise<boolean> => {
      const now = await service.workers();
      return now.size >= WORKERS && [...now].some((worker) => !before.has(worker));
    };
    const replaced = await until("it is replaced", isNew, 45_000, 1_000).catch(() => false);
    return `${hung} of 20 requests hung; ${replaced === false ? "not replaced within 45 s" : "replaced"}`;
  }),
  W8: played(async (service) => {
    if (service.arm.workers === "threads") return "threads cannot be killed";
    return `SIGTERM: ${await deaths(service, "SIGTERM")}. SIGKILL: ${await deaths(service, "SIGKILL")}`;
  }),
  W9: played((service) => stopWithTen(service, () => toAll(service, "SIGTERM"))),
  W10: played((service) => stopWithTen(service, () => toAll(service, "SIGINT"))),
  W11: played(async (service) => {
    const asked = Array.from({ length: 4 }, () => one(service, "/slow"));
    await sleep(300);
    signal(service.pid, "SIGTERM");
    await sleep(600);
    signal(service.pid, "SIGTERM");
    await until("the master has gone", () => readStat(service.pid)?.isGone ?? true, 15_000).catch(() => {});
    const left = service.processes().length;
    await Promise.all(asked);
    return left === 0 ? "nothing left behind" : `${left} processes outlive the master`;
  }),
  W12: played(async (service) => {
    const inner = childOf(service.pid);
    for (let count = 0; count < 6; count++) await one(service, "/orphan");
    await sleep(5_000);
    const zombies = pidsIn().filter((pid) => readStat(pid)?.isGone && readStat(pid)?.parentPid === inner).length;
    return `${zombies} of 6 stay zombies`;
  }, asPid1),
};

function played(play: (service: Service) => Promise<string>, change: (arm: Arm) => Arm = (arm) => arm): Play {
  return async (arm, folder) => {
    const service = await startService(change(arm), WORKERS, folder);
    try {
      return await play(service);
    } finally {
      await killAll();
    }
  };
}

function withoutNodeEnv(arm: Arm): Arm {
  return { ...arm, commands: (options) => arm.commands(options).map((each) => ({ ...each, env: { ...each.env, NODE_ENV: "" } })) };
}

function asPid1(arm: Arm): Arm {
  return {
    ...arm,
    commands: (options) => arm.commands(options).map((each) => ({ ...each, file: "unshare", args: [...PID_1, each.file, ...each.args] })),
  };
}

/** Ten requests of 2 s are in flight when the stop begins. */
async function stopWithTen(service: Service, stop: () => void): Promise<string> {
  const asked = Array.from({ length: 10 }, () => one(service, "/slow"));
  await sleep(700);
  stop();
  const left = await leftAfter(service, 15_000);
  const ok = (await Promise.all(asked)).filter((answer) => answer === "ok").length;
  return `${ok} of 10 answered, ${left}`;
}

async function leftAfter(service: Service, deadlineMs: number): Promise<string> {
  const startedAt = performance.now();
  await until("it has ended", () => service.processes().length === 0, deadlineMs).catch(() => {});
  const left = service.processes().length;
  return left === 0
    ? `gone after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
    : `${left} processes still there after ${deadlineMs / 1_000} s`;
}

async function one(service: Service, path: string): Promise<"ok" | "failed" | "hung"> {
  const connection = connect(service.options.port, false);
  try {
    return (await connection.ask(path, HUNG_MS)).status === 200 ? "ok" : "failed";
  } catch (error) {
    return error instanceof Hung ? "hung" : "failed";
  } finally {
    connection.close();
  }
}

/** Blocks one worker's event loop for ever. */
function hang(service: Service): void {
  connect(service.options.port, false)
    .ask("/hang", 600_000)
    .catch(() => {});
}

async function workerPids(service: Service): Promise<readonly number[]> {
  return [...(await service.workers())].map((worker) => Number(worker.split(":")[0]));
}

/** Six workers get the signal, one after the other, under 16 clients. */
async function deaths(service: Service, name: NodeJS.Signals): Promise<string> {
  let isOn = true;
  const seen = { ok: 0, failed: 0, hung: 0 };
  const clients = Array.from({ length: 16 }, async () => {
    while (isOn) seen[await one(service, "/")]++;
  });
  for (let turn = 0; turn < 6; turn++) {
    const [victim] = await workerPids(service);
    if (victim !== undefined) signal(victim, name);
    await until("there are two again", async () => (await service.workers()).size >= WORKERS, 15_000).catch(() => {});
  }
  isOn = false;
  await Promise.all(clients);
  return `${seen.failed} failed and ${seen.hung} hung of ${seen.ok + seen.failed + seen.hung}`;
}

function toAll(service: Service, name: NodeJS.Signals): void {
  for (const pid of service.processes()) signal(pid, name);
}

function childOf(pid: number): number {
  return pidsIn().find((each) => readStat(each)?.parentPid === pid) ?? 0;
}

/** SIGTERM to PID 1, so early in its boot; is it still there 7 s later? */
async function isLost(arm: Arm, folder: string, ms: number): Promise<boolean> {
  let isOver = false;
  const signalled = (async () => {
    const { processesOf } = await import("./processes.ts");
    const outer = await until("it is started", () => processesOf().find((pid) => childOf(pid) !== 0), 10_000, 2);
    await sleep(ms);
    const inner = childOf(outer);
    signal(inner, "SIGTERM");
    const gone = await until("it has ended", () => readStat(inner)?.isGone ?? true, 7_000).catch(() => false);
    isOver = true;
    await killAll();
    return gone === false;
  })();
  await startService(asPid1(arm), WORKERS, folder).catch(() => {});
  while (!isOver) await sleep(50);
  await killAll();
  return signalled;
}

const folder = mkdtempSync(join(tmpdir(), "weak-points-"));
process.once("exit", () => {
  killAllNow();
  rmSync(folder, { recursive: true, force: true });
});
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(1));
const only = process.argv.find((word) => /^W\d+$/.test(word));
const measured: Record<string, Record<string, string>> = {};
for (const [number, play] of Object.entries(SCENARIOS)) {
  if (only !== undefined && only !== number) continue;
  measured[number] = {};
  for (const [name, arm] of Object.entries(ARMS)) {
    const said = await play(arm, folder).catch((error: Error) => `could not be played: ${error.message.split("\n")[0]}`);
    measured[number][name] = said;
    console.log(`${number} ${name}: ${said}`);
  }
}
if (process.argv.includes("--docs")) writeFileSync(PAGE, weakPointsPage(measured as Measured));
process.exit(0);
