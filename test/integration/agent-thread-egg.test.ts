// agent-mode thread with unmodified Egg applications: the messenger, schedules, cluster-client and beforeClose; and startCluster's startMode.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startClusterProgram } from "../helpers/cluster-program.ts";
import { countOf, eventually, folderOf, notInstalled, startEgg, VERSIONS } from "../helpers/egg.ts";
import { freePort } from "../helpers/ports.ts";

for (const version of VERSIONS) {
  test(`the agent of Egg ${version} works in a thread of the master`, { skip: notInstalled(version) }, async (t) => {
    const service = await startEgg(t, version, { flags: ["--agent-mode", "thread"] });
    await service.untilReady();
    const { pid } = await service.status();
    assert.equal(await service.agentPid(), pid);
    const [one = 0] = await service.workerPids();
    const untilHeard = (data: string, times: number): Promise<unknown> =>
      eventually(`${data} is heard ${times} times`, async () => {
        const counts = [...(await service.heard()).values()].map((each) => countOf(each, "hello", data));
        return counts.reduce((sum, count) => sum + count) === times;
      });
    await service.say("sendToAgent", "hello", "worker to agent");
    await eventually("the agent hears a worker", () => service.output().includes('agent heard hello "worker to agent"'));
    await service.say("sendTo", String(pid), "hello", "to its pid");
    await eventually("the agent hears what is sent to its pid", () => service.output().includes('agent heard hello "to its pid"'));
    await service.say("sendToAgent", "say", { call: "sendToApp", args: ["hello", "agent to app"] });
    await untilHeard("agent to app", 2);
    await service.say("sendToAgent", "say", { call: "sendTo", args: [one, "hello", "agent to one"] });
    await untilHeard("agent to one", 1);
    await eventually("its schedules run in one worker and in all", async () => {
      const all = [...(await service.heard()).values()];
      return all.some((each) => each.includes("schedule worker")) && all.every((each) => each.includes("schedule all"));
    });
    service.signal("SIGTERM");
    assert.equal((await service.exited(30_000)).code, 0, service.output());
    assert.match(service.output(), new RegExp(`agent ${pid} closed in peace`));
  });
}

describe("startCluster()", { skip: notInstalled(3) }, () => {
  test("takes startMode worker_threads for the agent", async (t) => {
    const port = await freePort();
    const program = await startClusterProgram(t, { baseDir: folderOf(3), port, workers: 1, startMode: "worker_threads" });
    await program.untilLetter("egg-ready");
    const status = (await (await fetch(`http://127.0.0.1:${program.metricsPort}/status`)).json()) as {
      readonly pid: number;
      readonly agent: { readonly processes: readonly { readonly pid: number; readonly thread: number | null }[] };
      readonly workers: readonly { readonly processes: readonly { readonly thread: number | null }[] }[];
    };
    assert.equal(status.agent.processes[0]?.pid, status.pid);
    assert.equal(typeof status.agent.processes[0]?.thread, "number");
    assert.equal(status.workers[0]?.processes[0]?.thread, null);
    program.process.kill("SIGTERM");
    assert.equal(await program.exited, 0, program.output());
  });
});
