// What operators, strangers and the machine do to the master.
import assert from "node:assert/strict";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, kill } from "../helpers/processes.ts";
import type { Chance } from "../helpers/seed.ts";
import { isStopped } from "../helpers/victims.ts";
import type { Deed } from "./deed.ts";
import { HEARTBEAT_TIMEOUT_MS, type Mode, type Scene, SETTLE_MS } from "./scene.ts";
import { patiently, startStopwatch } from "./strain.ts";

const failedReloads = 'rollcall_reloads_total{result="failure"}';

async function reloadBadly(scene: Scene, mode: Mode): Promise<string> {
  const { service } = scene;
  const [pids, failed] = [await service.workerPids(), await service.metric(failedReloads)];
  const passed = startStopwatch();
  let provenMs = 0;
  scene.setMode(mode);
  // The generation that crashes stands still first: what it has accepted goes with it.
  const lookForStopped = (): void => {
    const pid = scene.stoppedChild();
    if (pid === undefined) return;
    provenMs = Math.max(provenMs, passed().elapsedMs);
    scene.setMode("good");
    scene.noteVictim(pid);
    kill(pid, "SIGCONT");
  };
  let answer: Awaited<ReturnType<Scene["order"]>> | null = null;
  const ordered = scene.order({ command: "reload", agent: false }).then((last) => (answer = last ?? null));
  await patiently(
    "the reload ends",
    () => {
      if (mode === "crashes") lookForStopped();
      return answer;
    },
    30_000,
  );
  await ordered;
  scene.setMode("good");
  // On a machine so slow that it lasted as long as it had to, it has not failed; it does so later, and is replaced by a good one.
  if (mode === "crashes" && provenMs >= SETTLE_MS) return `it lasted for ${Math.round(provenMs)} ms`;
  assert.equal((answer as { event: string } | null)?.event, "failed", JSON.stringify(answer));
  assert.ok((await service.metric(failedReloads)) > failed, "it is counted");
  await scene.untilWhole();
  assert.deepEqual(await service.workerPids(), pids, "the old workers stay");
  return "";
}

/** Signals in any order, as fast as they come. */
async function sendBurst(scene: Scene, chance: Chance): Promise<string> {
  const sent: Record<string, number> = { SIGHUP: 0, SIGTTIN: 0, SIGTTOU: 0 };
  for (let count = 10 + chance.below(40); count > 0; count--) {
    const signal = chance.pick(["SIGHUP", "SIGTTIN", "SIGTTOU"] as const);
    // The kernel makes one of several that wait, so that the sum is not known; but it stays small.
    if (signal === "SIGTTIN" && (await scene.service.status()).workersTarget > scene.ground.workers + 1) continue;
    scene.service.signal(signal);
    sent[signal] = (sent[signal] ?? 0) + 1;
    await sleep(chance.below(6));
  }
  // A signal that is on its way may come after the order.
  await patiently("the target is what it was", async () => {
    await scene.order({ command: "scale", workers: scene.ground.workers, change: false });
    return (await scene.service.status()).workersTarget === scene.ground.workers;
  });
  return JSON.stringify(sent);
}

/** Connections that say half of something and wait. */
async function hold(port: number, count: number, ms: number): Promise<void> {
  const sockets = Array.from({ length: count }, () => net.connect(port, "127.0.0.1").on("error", () => {}));
  for (const [index, socket] of sockets.entries()) socket.write(index % 2 === 0 ? "GET /live HTTP/1.1\r\nHost: x" : "G");
  await sleep(ms);
  for (const socket of sockets) socket.destroy();
}

const JUNK = [
  "junk\n",
  "",
  '{"rollcall":1,',
  "\0\xff\n\n\n",
  '{"rollcall":9}\n',
  `${"x".repeat(70_000)}\n`,
  '{"rollcall":1,"command":"status"}\n',
];

async function annoyControl(path: string, chance: Chance): Promise<void> {
  const socket = net.connect(path).on("error", () => {});
  let isClosed = false;
  socket.once("close", () => (isClosed = true)).resume();
  const text = chance.pick(JUNK);
  if (chance.below(4) === 0) socket.once("connect", () => socket.destroy());
  else socket.end(text);
  await patiently("the control socket lets go", () => isClosed);
}

export const DEEDS_TO_THE_MASTER: readonly Deed[] = [
  {
    name: "restart of a worker",
    weight: 1,
    run: async (scene, chance) => {
      const slot = chance.below(scene.ground.workers);
      const answer = await scene.order({ command: "restart", role: "worker", slot });
      assert.equal(answer?.event, "done", JSON.stringify(answer));
      return `slot ${slot}`;
    },
  },
  {
    name: "reload",
    weight: 3,
    run: async (scene, chance) => {
      const agent = scene.ground.agent !== null && chance.below(2) === 0;
      const before = await scene.service.workerPids();
      const oldAgent = await scene.agent();
      const answer = await scene.order({ command: "reload", agent });
      assert.equal(answer?.event, "done", JSON.stringify(answer));
      assert.deepEqual(before.filter(isAlive), [], "the old ones have gone");
      if (agent) assert.notDeepEqual(await scene.agent(), oldAgent, "and so has the old agent");
      else assert.deepEqual(await scene.agent(), oldAgent, "the agent is the same");
      return agent ? "with the agent" : "";
    },
  },
  { name: "reload with a generation that throws", weight: 1, run: (scene) => reloadBadly(scene, "throws") },
  { name: "reload with a generation that never gets ready", weight: 1, run: (scene) => reloadBadly(scene, "never") },
  { name: "reload with a generation that crashes when it is ready", weight: 1, run: (scene) => reloadBadly(scene, "crashes") },
  {
    name: "kill -9 of a worker in the midst of a reload",
    weight: 2,
    run: async (scene, chance) => {
      scene.service.signal("SIGHUP");
      await patiently("it reloads", async () => (await scene.service.status()).reloading);
      await sleep(chance.below(SETTLE_MS + 500));
      const pid = chance.pick(await scene.service.workerPids());
      await scene.condemn(pid);
      kill(pid);
      return String(pid);
    },
  },
  {
    name: "scale up and down",
    weight: 2,
    run: async (scene, chance) => {
      const numbers = [1 + chance.below(scene.ground.workers + 2), 1 + chance.below(scene.ground.workers + 2), scene.ground.workers];
      for (const workers of numbers) {
        const answer = await scene.order({ command: "scale", workers, change: false });
        assert.equal(answer?.event, "done", JSON.stringify(answer));
      }
      return numbers.join(", ");
    },
  },
  { name: "a burst of HUP, TTIN and TTOU", weight: 2, run: sendBurst },
  {
    name: "drain and undrain",
    weight: 1,
    unready: true,
    run: async (scene, chance) => {
      await scene.order({ command: "drain" });
      assert.equal(await scene.service.probe("ready"), 500);
      assert.equal(await scene.service.probe("live"), 200);
      await sleep(chance.below(500));
      await scene.order({ command: "undrain" });
      assert.equal(await scene.service.probe("ready"), 200);
      return "";
    },
  },
  {
    name: "SIGSTOP of the master",
    weight: 2,
    silent: true,
    run: async (scene, chance) => {
      const ms = chance.pick([200, HEARTBEAT_TIMEOUT_MS]) + chance.below(2_000);
      const before = [await scene.service.workerPids(), await scene.agent()];
      kill(scene.service.pid, "SIGSTOP");
      await patiently("it has stopped", () => isStopped(scene.service.pid));
      await sleep(ms);
      kill(scene.service.pid, "SIGCONT");
      await scene.untilWhole();
      assert.deepEqual([await scene.service.workerPids(), await scene.agent()], before, "it has killed nobody for its own silence");
      return `${ms} ms`;
    },
  },
  {
    name: "slow clients on the probes and the metrics port",
    weight: 1,
    run: async (scene, chance) => {
      const [count, ms] = [50 + chance.below(200), 200 + chance.below(1_500)];
      await Promise.all([hold(scene.service.probesPort, count, ms), hold(scene.service.metricsPort, count, ms)]);
      return `${count} each, ${ms} ms`;
    },
  },
  {
    name: "junk on the control socket",
    weight: 1,
    run: async (scene, chance) => {
      const count = 20 + chance.below(80);
      await Promise.all(Array.from({ length: count }, () => annoyControl(scene.service.control, chance)));
      return `${count} clients`;
    },
  },
];
