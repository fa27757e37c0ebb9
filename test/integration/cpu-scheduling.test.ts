// How workers are scheduled: as batch while there are more of them than CPUs, whoever comes and goes; and as they were started where somebody says so.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import os from "node:os";
import { describe, test } from "node:test";
import { readStat } from "../../src/system/procfs.ts";
import { kill } from "../helpers/processes.ts";
import { type Service, type ServiceOptions, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const OTHER = 0;
const BATCH = 3;
const IDLE = 5;

const isLinux = process.platform === "linux";

describe("CPU scheduling of workers", { concurrency: 2, skip: isLinux ? false : "only Linux has it" }, () => {
  const oneCpu = isLinux ? ["taskset", "--cpu-list", firstCpu()] : [];
  const base: ServiceOptions = { app: "http.mjs", wrapper: oneCpu, flags: ["--drain-idle", "100ms"] };

  test("is batch for every one while there are more than CPUs: in a start, after a crash, a reload and a scale", async (t) => {
    const service = await startService(t, { ...base, agent: "agent.mjs", workers: 2 });
    await service.untilReady();
    await untilScheduled(service, 2, BATCH);
    const { agent, pid } = await service.status();
    assert.equal(policyOf(agent?.processes[0]?.pid), OTHER, "the agent");
    assert.equal(policyOf(pid), OTHER, "the master");
    const [first] = await service.workerPids();
    kill(first as number);
    await until("it is replaced", async () => !(await service.workerPids()).includes(first as number));
    await untilScheduled(service, 2, BATCH);
    service.signal("SIGHUP");
    await until("the reload is done", () => service.hasLogged(/^reload done/));
    await untilScheduled(service, 2, BATCH);
    service.signal("SIGTTOU");
    await untilScheduled(service, 1, OTHER);
    service.signal("SIGTTIN");
    await untilScheduled(service, 2, BATCH);
    assert.deepEqual(
      service.log().flatMap(({ cpuScheduling }) => (cpuScheduling === undefined ? [] : [cpuScheduling])),
      ["batch", "other", "batch"],
    );
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
  });

  test("is as usual with a CPU for each", async (t) => {
    const service = await startService(t, { ...base, workers: 1 });
    await service.untilReady();
    // Nothing is ever set, so there is nothing to wait for but what would come before it.
    service.signal("SIGHUP");
    await until("the reload is done", () => service.hasLogged(/^reload done/));
    await untilScheduled(service, 1, OTHER);
    assert.doesNotMatch(service.output(), /scheduled/);
  });

  test("is batch for one worker too, where that is set", async (t) => {
    const service = await startService(t, { ...base, workers: 1, flags: ["--cpu-scheduling", "batch"] });
    await service.untilReady();
    await untilScheduled(service, 1, BATCH);
    assert.ok(service.hasLogged(/^workers are scheduled as batch \(as set\)$/));
  });

  test("stays what the master was started with: where that is set, and where it is not the usual one", async (t) => {
    const inherited = await startService(t, { ...base, workers: 2, flags: ["--cpu-scheduling", "inherit"] });
    const idle = await startService(t, { ...base, workers: 2, wrapper: [...oneCpu, "chrt", "--idle", "0"] });
    for (const [service, policy] of [[inherited, OTHER] as const, [idle, IDLE] as const]) {
      await service.untilReady();
      service.signal("SIGHUP");
      await until("the reload is done", () => service.hasLogged(/^reload done/));
      await untilScheduled(service, 2, policy);
      assert.doesNotMatch(service.output(), /scheduled/);
    }
  });

  test("is done without, where there is no chrt: with a warning only for whoever has asked for it", async (t) => {
    const env = { PATH: "/nowhere" };
    const asked = await startService(t, { ...base, wrapper: [], workers: 1, env, flags: ["--cpu-scheduling", "batch"] });
    const auto = await startService(t, { ...base, wrapper: [], workers: os.cpus().length + 1, env, flags: ["--log-level", "debug"] });
    for (const service of [asked, auto]) await service.untilReady();
    const problem = /^Cannot set how workers are scheduled: spawn chrt ENOENT; they are as they were started \(cpu-scheduling\)$/;
    const said = (service: Service): readonly string[] => service.log().flatMap(({ level, msg }) => (problem.test(msg) ? [level] : []));
    await until("it is said", () => said(asked).length > 0 && said(auto).length > 0);
    assert.deepEqual([said(asked), said(auto)], [["warn"], ["debug"]]);
    for (const service of [asked, auto]) assert.equal((await fetch(service.url("/"))).status, 200);
  });
});

const policyOf = (pid: number | null | undefined): number | undefined => readStat(pid as number)?.schedulingPolicy;

function untilScheduled(service: Service, workers: number, policy: number): Promise<unknown> {
  return until(`${workers} workers are scheduled with policy ${policy}`, async () => {
    const pids = await service.workerPids();
    return pids.length === workers && pids.every((pid) => policyOf(pid) === policy);
  });
}

function firstCpu(): string {
  return /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
}
