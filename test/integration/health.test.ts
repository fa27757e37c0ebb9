// health.set() of rollcall/app: what a process depends on feeds readiness and /status.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { kill } from "../helpers/processes.ts";
import { runRollcall, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

test("health.set() takes the service out of readiness while too few are well, and shows who is not and why", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const sick = (who: number | "agent", reason: string): void => writeFileSync(join(folder, `sick-${who}`), reason);
  const well = (who: number | "agent"): void => rmSync(join(folder, `sick-${who}`));
  const service = await startService(t, { app: "health-steered.mjs", agent: "health-steered.mjs", workers: 2, env: { STEER: folder } });
  await service.untilReady();
  const [pid] = (await service.status()).workers[0]?.processes.map((each) => each.pid) ?? [];

  sick(0, "connection refused");
  const ailments = [{ name: "db", reason: "connection refused" }];
  await until("/status shows it", async () => (await service.status()).workers[0]?.processes[0]?.ailments.length === 1);
  assert.deepEqual((await service.status()).workers[0]?.processes[0]?.ailments, ailments);
  assert.equal(await service.probe("ready"), 200, "the other worker is well");
  const shown = await runRollcall(t, ["status", "--control", service.control]);
  assert.match(shown.stdout, /^worker 0: db is not well: connection refused$/m);

  sick(1, "");
  await until("nobody is well", async () => (await service.probe("ready")) === 500);
  assert.equal(await service.probe("live"), 200);
  // What one process said goes with it.
  kill(pid as number);
  well(0);
  await until("the successor is well", async () => (await service.probe("ready")) === 200);
  well(1);
  await until("so is the other", async () => (await service.status()).workers.every((slot) => slot.processes[0]?.ailments.length === 0));

  sick("agent", "no queue");
  await until("the agent is not well", async () => (await service.probe("ready")) === 500);
  well("agent");
  await until("the agent is well", async () => (await service.probe("ready")) === 200);
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
});

test("a reason or a name of any length costs no process its channel: they are cut", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const service = await startService(t, { app: "health-steered.mjs", workers: 1, env: { STEER: folder } });
  await service.untilReady();
  const pids = await service.workerPids();
  writeFileSync(join(folder, "huge"), "x".repeat(5 * 1024 * 1024));
  // In one step, so that the app reads the whole of it.
  renameSync(join(folder, "huge"), join(folder, "sick-0"));
  await until("/status shows it", async () => (await service.status()).workers[0]?.processes[0]?.ailments.length === 1);
  assert.deepEqual((await service.status()).workers[0]?.processes[0]?.ailments, [{ name: "db", reason: "x".repeat(1_000) }]);
  rmSync(join(folder, "sick-0"));
  await until("it is well again", async () => (await service.probe("ready")) === 200);
  assert.deepEqual(await service.workerPids(), pids, "the same process as before");
});

test("of more than 32 names that are not well one warning is printed, and there is room again when one is well", async (t) => {
  const service = await startService(t, { app: "health-many.mjs", workers: 1 });
  const ailing = async (): Promise<readonly string[]> =>
    (await service.status()).workers[0]?.processes[0]?.ailments.map(({ name }) => name) ?? [];
  await until("/status shows as many as it may", async () => (await ailing()).length === 32);
  await until("it listens", async () => (await service.workerPids()).length === 1);
  assert.equal((await fetch(service.url("/"))).status, 200);
  await until("the last one has the place of the first", async () => (await ailing()).at(-1) === "y".repeat(200));
  assert.deepEqual(
    (await ailing()).slice(0, -1),
    Array.from({ length: 31 }, (_, index) => `thing ${index + 1}`),
  );
  const warnings = (): readonly string[] => service.output().match(/Rollcall: health\.set\(\): .*$/gm) ?? [];
  await until("the warning is printed", () => warnings().length > 0);
  assert.deepEqual(warnings(), ['Rollcall: health.set(): 32 names are not well already; passed over: "thing 32" and whatever follows']);
});

test("under plain node health.set() is heard by nobody, and refuses what is no answer", () => {
  const api = new URL("../../src/runtime/app.ts", import.meta.url).href;
  const code = `import { health } from ${JSON.stringify(api)};
    health.set("db", false, "away");
    for (const wrong of [["db"], ["", true], [7, true], ["db", "yes"]]) try { health.set(...wrong); } catch ({ name, message }) { console.log(name + ": " + message); }`;
  const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  assert.equal(status, 0);
  assert.equal(stdout.match(/^TypeError: health\.set\(name, ok, reason\): expected a name and true or false, got /gm)?.length, 4, stdout);
});

test("a service that turns well and unwell all the time fills no log, and is shown as it is", async (t) => {
  const service = await startService(t, { app: "health-flood.mjs", workers: 1 });
  await service.untilReady();
  await fetch(service.url("/"));
  await until("the last word is heard", async () => (await service.status()).workers[0]?.processes[0]?.ailments[0]?.reason === "away 499");
  const told = service.log().filter(({ msg }) => msg.endsWith("(health)")).length;
  assert.ok(told >= 100 && told < 500, `${told} lines`);
});
