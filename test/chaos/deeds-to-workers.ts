// Harm to workers, from outside and by the app itself.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../helpers/load.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import type { Chance } from "../helpers/seed.ts";
import { isStopped } from "../helpers/victims.ts";
import type { Deed } from "./deed.ts";
import { acceptedBy } from "./ledger.ts";
import { HEARTBEAT_TIMEOUT_MS, type Scene } from "./scene.ts";
import { patiently, startStopwatch } from "./strain.ts";

const hasPrlimit = spawnSync("prlimit", ["--version"]).error === undefined;

const starts = (reason: string): string => `rollcall_process_starts_total{role="worker",reason="${reason}"}`;

async function victims(scene: Scene, chance: Chance, count: number): Promise<readonly number[]> {
  const pids = [...(await scene.service.workerPids())];
  return Array.from({ length: Math.min(count, pids.length) }, () => pids.splice(chance.below(pids.length), 1)[0] as number);
}

async function killAll(scene: Scene, pids: readonly number[]): Promise<string> {
  await Promise.all(pids.map((pid) => scene.condemn(pid)));
  for (const pid of pids) kill(pid);
  await patiently("they are gone", () => !pids.some(isAlive));
  return pids.join(", ");
}

/** Does what costs connections in a handler: the process stands still first, is looked at, and goes on. */
async function doInHandler(scene: Scene, deed: "loop" | "exit"): Promise<number> {
  void ask(scene.service.url(`/chaos/${deed}`)).catch(() => {});
  const pid = await patiently("a worker has stopped itself", scene.stoppedChild);
  scene.noteVictim(pid);
  kill(pid, "SIGCONT");
  return pid;
}

/** A deed that costs nobody anything, in the handler of whichever worker gets it. */
async function doHarmless(scene: Scene, deed: string): Promise<string> {
  const { status, body } = await ask(scene.service.url(`/chaos/${deed}`));
  assert.equal(status, 200);
  return `worker ${body}`;
}

/** The same, of what costs the worker its channel: it drains. */
async function doAndBeReplaced(scene: Scene, deed: string): Promise<string> {
  const before = await scene.service.metric(starts("crash"));
  const told = await doHarmless(scene, deed);
  await patiently("a worker is replaced", async () => (await scene.service.metric(starts("crash"))) > before);
  return told;
}

async function untilReplaced(scene: Scene, pid: number, reason: string, act: () => void | Promise<void>): Promise<void> {
  const before = await scene.service.metric(starts(reason));
  await act();
  await patiently(`${pid} is gone`, () => !isAlive(pid), HEARTBEAT_TIMEOUT_MS * 3);
  await patiently(`another is started because of ${reason}`, async () => (await scene.service.metric(starts(reason))) > before);
}

export const DEEDS_TO_WORKERS: readonly Deed[] = [
  {
    name: "kill -9 of a worker",
    weight: 4,
    run: async (scene, chance) => killAll(scene, await victims(scene, chance, 1)),
  },
  {
    name: "kill -9 of all workers but one",
    weight: 2,
    run: async (scene, chance) => killAll(scene, await victims(scene, chance, scene.ground.workers - 1)),
  },
  {
    name: "kill -9 of all workers",
    weight: 1,
    unready: true,
    run: async (scene, chance) => killAll(scene, await victims(scene, chance, scene.ground.workers)),
  },
  {
    name: "kill -9 of a worker that has a child of its own",
    weight: 1,
    run: async (scene) => {
      const { body } = await ask(scene.service.url("/chaos/spawn"));
      const children = childrenOf(Number(body));
      assert.equal(children.length, 1, `the child of ${body}`);
      await killAll(scene, [Number(body)]);
      await patiently("its child is gone", () => !children.some(isAlive));
      return body;
    },
  },
  {
    name: "SIGSTOP of a worker for a while",
    weight: 3,
    run: async (scene, chance) => {
      const [pid] = (await victims(scene, chance, 1)) as [number];
      const ms = 200 + chance.below(HEARTBEAT_TIMEOUT_MS / 2);
      const passed = startStopwatch();
      kill(pid, "SIGSTOP");
      await patiently(`${pid} has stopped`, () => isStopped(pid));
      const [owned, at] = [acceptedBy(pid, scene.service.appPort), performance.now()];
      await sleep(ms);
      kill(pid, "SIGCONT");
      const { elapsedMs } = passed();
      await scene.untilWhole();
      const isThere = (await scene.service.workerPids()).includes(pid);
      // This machine may have made the pause longer than it was to be.
      if (elapsedMs < HEARTBEAT_TIMEOUT_MS / 1.5)
        assert.ok(isThere, `${pid} stood still for ${Math.round(elapsedMs)} ms only and is left alone`);
      else if (!isThere) scene.ledger.noteVictim(owned, at);
      return `${pid}, ${ms} ms`;
    },
  },
  {
    name: "SIGSTOP of a worker for good",
    weight: 2,
    run: async (scene, chance) => {
      const [pid] = (await victims(scene, chance, 1)) as [number];
      await untilReplaced(scene, pid, "unresponsive", () => scene.condemn(pid));
      return String(pid);
    },
  },
  {
    name: "an endless loop in a handler",
    weight: 2,
    run: async (scene) => {
      const before = await scene.service.metric(starts("unresponsive"));
      const pid = await doInHandler(scene, "loop");
      await patiently(`${pid} is gone`, () => !isAlive(pid), HEARTBEAT_TIMEOUT_MS * 3);
      await patiently("another is started", async () => (await scene.service.metric(starts("unresponsive"))) > before);
      return String(pid);
    },
  },
  {
    name: "process.exit() in a handler",
    weight: 2,
    run: async (scene) => {
      const pid = await doInHandler(scene, "exit");
      await patiently(`${pid} is gone`, () => !isAlive(pid));
      return String(pid);
    },
  },
  {
    name: "an uncaught exception in a handler",
    weight: 3,
    run: async (scene) => {
      const before = await scene.service.metric(starts("crash"));
      const { status } = await ask(scene.service.url("/chaos/throw"));
      assert.equal(status, 500);
      await patiently("a worker is replaced", async () => (await scene.service.metric(starts("crash"))) > before);
      return "";
    },
  },
  {
    name: "process.disconnect() in a handler",
    weight: 1,
    run: (scene) => doAndBeReplaced(scene, "disconnect"),
  },
  { name: "junk and forged messages on IPC", weight: 1, run: (scene) => doHarmless(scene, "junk") },
  { name: "bytes that are no messages on both channels", weight: 1, run: (scene) => doAndBeReplaced(scene, "bytes") },
  { name: "Node's own messages forged on IPC", weight: 1, run: (scene) => doAndBeReplaced(scene, "internals") },
  { name: "20,000 messages on IPC", weight: 1, run: (scene) => doHarmless(scene, "flood") },
  {
    name: "memory leaked to the limit",
    weight: 1,
    run: async (scene) => {
      const before = await scene.service.metric(starts("recycle_memory"));
      const told = await doHarmless(scene, "leak");
      await patiently("it is recycled", async () => (await scene.service.metric(starts("recycle_memory"))) > before);
      return told;
    },
  },
  {
    name: "no descriptors left in a worker",
    weight: 1,
    isFor: () => hasPrlimit,
    run: async (scene, chance) => {
      const [pid] = (await victims(scene, chance, 1)) as [number];
      const ms = 200 + chance.below(2_000);
      const from = performance.now();
      const limits = (soft: number): string[] => ["--pid", String(pid), `--nofile=${soft}:`];
      execFileSync("prlimit", limits(readdirSync(`/proc/${pid}/fd`).length));
      await sleep(ms);
      execFileSync("prlimit", limits(1_024));
      // Where the master accepts, another worker gets what this one cannot take.
      if (!["sticky", "round-robin"].includes(scene.ground.listen)) scene.ledger.noteExhaustion(from, performance.now());
      await scene.untilWhole();
      assert.ok((await scene.service.workerPids()).includes(pid), `${pid} is left alone`);
      return `${pid}, ${ms} ms`;
    },
  },
];
