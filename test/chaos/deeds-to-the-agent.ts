// Harm to the agent, a process or a thread of the master's: by others, whom only a process has to fear, and by itself, as a worker tells it to.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { hasKoffi } from "../../src/system/libc.ts";
import { ask } from "../helpers/load.ts";
import { isAlive, kill } from "../helpers/processes.ts";
import type { Deed } from "./deed.ts";
import type { Ground } from "./plan.ts";
import { type Agent, HEARTBEAT_TIMEOUT_MS, type Scene } from "./scene.ts";
import { patiently, startStopwatch } from "./strain.ts";

export const hasAgent = ({ agent }: Ground): boolean => agent !== null;
/** A signal to a thread's pid is one to the master. */
const hasProcess = ({ agent }: Ground): boolean => agent === "process";

async function agentOf(scene: Scene): Promise<Agent> {
  const agent = await scene.agent();
  assert.ok(agent !== null, "an agent is ready");
  return agent;
}

const called = ({ pid, thread }: Agent): string => (thread === null ? String(pid) : `thread ${thread}`);

/** Has the agent do it, right after it has said that it will. */
export async function tellAgent(scene: Scene, deed: string): Promise<void> {
  const { status, body } = await ask(scene.service.url(`/agent/${deed}`), false, { timeout: 60_000 });
  assert.equal(status, 200, body);
}

/** How many agents were started after one that ended unasked, or was silent for too long. */
async function countReplaced({ service }: Scene): Promise<number> {
  const text = await service.metrics();
  const found = text.matchAll(/^rollcall_process_starts_total\{role="agent",reason="(?:crash|unresponsive)"\} (\d+)$/gm);
  return [...found].reduce((sum, [, count]) => sum + Number(count), 0);
}

async function untilReplaced(scene: Scene, act: () => Promise<void> | void, meanwhile: () => void = () => {}): Promise<string> {
  const [agent, before] = [await agentOf(scene), await countReplaced(scene)];
  await act();
  await patiently(
    "another agent is started",
    async () => {
      meanwhile();
      return (await countReplaced(scene)) > before;
    },
    HEARTBEAT_TIMEOUT_MS * 3,
  );
  await scene.untilWhole();
  assert.notDeepEqual(await scene.agent(), agent);
  return called(agent);
}

const tellAndReplace = (deed: string) => (scene: Scene) => untilReplaced(scene, () => tellAgent(scene, deed));

/** A call that does not return: a process is killed in it. A thread is told of, and goes on to its end when the call returns after all. */
async function stick(scene: Scene): Promise<string> {
  const from = scene.service.output().length;
  return untilReplaced(
    scene,
    () => tellAgent(scene, "stick"),
    () => {
      if (scene.service.output().includes("its thread is in a call that does not return", from)) scene.openFifo();
    },
  );
}

/** It stays who it is, and answers. */
async function tellAndKeep(scene: Scene, deed: string, isDone: () => Promise<boolean> | boolean = () => true): Promise<string> {
  const agent = await agentOf(scene);
  await tellAgent(scene, deed);
  await patiently(`it has done ${deed}`, isDone);
  await tellAgent(scene, "rest");
  await scene.untilWhole();
  assert.deepEqual(await scene.agent(), agent, "it is left alone");
  return called(agent);
}

export const DEEDS_TO_THE_AGENT: readonly Deed[] = [
  {
    name: "kill -9 of the agent",
    weight: 2,
    isFor: hasProcess,
    run: async (scene) => {
      const { pid } = await agentOf(scene);
      return untilReplaced(scene, () => kill(pid));
    },
  },
  {
    name: "SIGSTOP of the agent for a while",
    weight: 1,
    isFor: hasProcess,
    run: async (scene, chance) => {
      const agent = await agentOf(scene);
      const ms = 200 + chance.below(HEARTBEAT_TIMEOUT_MS / 2);
      const passed = startStopwatch();
      kill(agent.pid, "SIGSTOP");
      await sleep(ms);
      kill(agent.pid, "SIGCONT");
      if (passed().elapsedMs >= HEARTBEAT_TIMEOUT_MS / 1.5) return `${agent.pid}, ${ms} ms, which this machine made longer`;
      await scene.untilWhole();
      assert.deepEqual(await scene.agent(), agent, "it is left alone");
      return `${agent.pid}, ${ms} ms`;
    },
  },
  {
    name: "SIGSTOP of the agent for good",
    weight: 1,
    isFor: hasProcess,
    run: async (scene) => {
      const { pid } = await agentOf(scene);
      await untilReplaced(scene, () => kill(pid, "SIGSTOP"));
      assert.ok(!isAlive(pid), "it is gone");
      return String(pid);
    },
  },
  {
    name: "restart of the agent",
    weight: 1,
    isFor: hasAgent,
    run: async (scene) => {
      const agent = await agentOf(scene);
      const answer = await scene.order({ command: "restart", role: "agent", slot: 0 });
      assert.equal(answer?.event, "done", JSON.stringify(answer));
      assert.notDeepEqual(await scene.agent(), agent);
      return called(agent);
    },
  },
  { name: "process.exit() in the agent", weight: 2, isFor: hasAgent, run: tellAndReplace("exit") },
  { name: "the agent's kill -9 of itself", weight: 1, isFor: hasAgent, run: tellAndReplace("kill") },
  { name: "process.disconnect() in the agent", weight: 1, isFor: hasAgent, run: tellAndReplace("disconnect") },
  // In a thread these descriptors are the master's.
  { name: "bytes that are no messages on the agent's channels", weight: 1, isFor: hasProcess, run: tellAndReplace("bytes") },
  { name: "the agent's heap filled to its limit", weight: 1, isFor: hasAgent, run: tellAndReplace("fill") },
  {
    // Who waits for a dead child of a thread that is gone is the master alone.
    name: "the end of an agent that has a child of its own",
    weight: 2,
    isFor: ({ agent }) => agent === "process" || (agent === "thread" && hasKoffi()),
    run: tellAndReplace("leave"),
  },
  { name: "an endless loop in the agent", weight: 2, isFor: hasAgent, run: tellAndReplace("loop") },
  { name: "an agent that waits for a program without an end", weight: 1, isFor: hasAgent, run: tellAndReplace("wait") },
  { name: "a call in the agent that does not return", weight: 1, isFor: hasAgent, run: stick },
  {
    name: "an uncaught exception in the agent",
    weight: 2,
    isFor: hasAgent,
    run: async (scene) => {
      const from = scene.service.output().length;
      const isTold = (): boolean => scene.service.output().includes("thrown by chaos; it lives on (agent-uncaught)", from);
      return tellAndKeep(scene, "throw", isTold);
    },
  },
  { name: "junk and forged messages by the agent", weight: 1, isFor: hasAgent, run: (scene) => tellAndKeep(scene, "junk") },
  {
    name: "Node's own messages forged by the agent",
    weight: 1,
    isFor: hasAgent,
    run: (scene) => (scene.ground.agent === "thread" ? tellAndKeep(scene, "internals") : tellAndReplace("internals")(scene)),
  },
  {
    name: "20,000 letters by the agent",
    weight: 1,
    isFor: hasAgent,
    run: async (scene) => {
      const heard = (): Promise<number> => scene.service.metric('rollcall_messages_total{from="agent",to="app"}');
      const before = await heard();
      return tellAndKeep(scene, "letters", async () => (await heard()) >= before + 20_000);
    },
  },
];
