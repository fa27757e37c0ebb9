// How workers are scheduled: as batch while there are more of them than CPUs, whoever comes and goes; and as they were started where somebody says so.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os, { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readStat } from "../../src/system/procfs.ts";
import { isAlive, kill } from "../helpers/processes.ts";
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

  test("stays what the app makes of it", async (t) => {
    const service = await startService(t, { ...base, workers: 2 });
    await service.untilReady();
    await untilScheduled(service, 2, BATCH);
    const [first, second] = await service.workerPids();
    execFileSync("chrt", ["-i", "-p", "0", String(first)]);
    for (const [signal, workers, policy] of [
      ["SIGTTIN", 3, BATCH] as const,
      ["SIGTTOU", 2, BATCH] as const,
      ["SIGTTOU", 1, OTHER] as const,
    ]) {
      service.signal(signal);
      await until(`there are ${workers}`, async () => (await service.workerPids()).length === workers);
      assert.equal(policyOf(first), IDLE);
      if (workers > 1) await until("the other one is as it should be", () => policyOf(second) === policy);
    }
  });

  test("is tried again where it failed, and a chrt that hangs goes with the service", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "chrt-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const script = `#!/bin/sh\n[ -e ${folder}/works ] && PATH=/usr/bin:/bin exec chrt "$@"\n[ -e ${folder}/hangs ] || exit 1\necho $$ >${folder}/pid\nexec sleep 1000\n`;
    writeFileSync(join(folder, "chrt"), script, { mode: 0o755 });
    const service = await startService(t, { ...base, workers: 2, env: { PATH: `${folder}:${process.env.PATH}` } });
    await service.untilReady();
    writeFileSync(join(folder, "works"), "");
    await untilScheduled(service, 2, BATCH);
    rmSync(join(folder, "works"));
    writeFileSync(join(folder, "hangs"), "");
    kill((await service.workerPids())[0] as number);
    const pid = Number(await until("chrt hangs", () => readFileSync(join(folder, "pid"), "utf8").trim()));
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0, service.output());
    await until("it has ended", () => !isAlive(pid));
  });

  test("is done without, where there is no chrt: with a warning only for whoever has asked for it", async (t) => {
    const env = { PATH: "/nowhere" };
    const asked = await startService(t, { ...base, wrapper: [], workers: 1, env, flags: ["--cpu-scheduling", "batch"] });
    const auto = await startService(t, { ...base, wrapper: [], workers: os.cpus().length + 1, env, flags: ["--log-level", "debug"] });
    for (const service of [asked, auto]) await service.untilReady();
    const problem = /^Cannot set how every worker is scheduled: spawn chrt ENOENT \(cpu-scheduling; said once\)$/;
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
