// `rollcall restart` and `rollcall reload --agent`: one child is replaced, and the command returns when that is so.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isAlive } from "../helpers/processes.ts";
import { runRollcall, type Service, startService } from "../helpers/service.ts";

const GOOD = 'import http from "node:http";\nhttp.createServer((_, response) => response.end("good")).listen(Number(process.env.PORT));\n';

async function start(t: TestContext): Promise<Service & { readonly app: string }> {
  const folder = await mkdtemp(join(tmpdir(), "rc-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const app = join(folder, "app.mjs");
  writeFileSync(app, GOOD);
  const service = await startService(t, { app, agent: "agent.mjs", workers: 2, flags: ["--drain-idle", "50ms"] });
  await service.untilReady();
  return { ...service, app };
}

async function agentPid(service: Service): Promise<number> {
  return (await service.status()).agent?.processes.find(({ state }) => state === "ready")?.pid as number;
}

test("replaces one worker, and leaves the others alone", async (t) => {
  const service = await start(t);
  const [first, second] = await service.workerPids();
  const { code, stdout, stderr } = await runRollcall(t, ["restart", "0", "--control", service.control]);
  assert.equal(code, 0, stderr);
  const after = await service.workerPids();
  assert.deepEqual([after.length, after[0] === first, after[1]], [2, false, second]);
  assert.equal(isAlive(first as number), false);
  assert.match(stdout, new RegExp(`^worker 0: pid ${first} generation 1 → pid ${after[0]} generation 1 ready in \\d+ ms$`, "m"));
  assert.match(stdout, /restart done\n$/);
});

test("replaces the agent, and leaves the workers alone", async (t) => {
  const service = await start(t);
  const [before, workers] = [await agentPid(service), await service.workerPids()];
  const { code, stdout, stderr } = await runRollcall(t, ["restart", "agent", "--control", service.control]);
  assert.equal(code, 0, stderr);
  const after = await agentPid(service);
  assert.notEqual(after, before);
  assert.deepEqual([isAlive(before), await service.workerPids()], [false, workers]);
  assert.match(stdout, new RegExp(`^agent: .*pid ${after} generation 1 ready in \\d+ ms$`, "m"));
});

test("exits 1 when the new worker fails, with its reason, and the old one serves on", async (t) => {
  const service = await start(t);
  const before = await service.workerPids();
  writeFileSync(service.app, 'throw new Error("bad code");\n');
  const { code, stderr } = await runRollcall(t, ["restart", "1", "--control", service.control]);
  assert.equal(code, 1);
  assert.match(stderr, /restart failed: the new process failed; the service goes on trying: .*bad code/);
  assert.deepEqual(await service.workerPids(), before);
});

test("reload --agent replaces the agent first, then the workers", async (t) => {
  const service = await start(t);
  const before = await agentPid(service);
  const { code, stdout, stderr } = await runRollcall(t, ["reload", "--agent", "--control", service.control]);
  assert.equal(code, 0, stderr);
  assert.equal(isAlive(before), false);
  const { agent, workers } = await service.status();
  assert.deepEqual(
    [agent, ...workers].map((slot) => slot?.processes.map(({ generation }) => generation)),
    [[2], [2], [2]],
  );
  const ready = stdout.split("\n").filter((line) => / ready in /.test(line));
  assert.match(ready[0] ?? "", /^agent: /);
});

test("refuses what there is not, and exits 1", async (t) => {
  const service = await start(t);
  const { code, stderr } = await runRollcall(t, ["restart", "2", "--control", service.control]);
  assert.deepEqual([code, stderr], [1, "rollcall: restart failed: there is no worker 2; expected one from 0 to 1\n"]);
});
