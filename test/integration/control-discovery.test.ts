// Which service a command means when it is not told: the only one that lives.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runRollcall, startService } from "../helpers/service.ts";

const USUAL = { app: "http.mjs", workers: 1 } as const;
const asUser = { uid: 1_000, gid: 1_000 } as const;
/** Needs root, and a Node that others may run. */
const cannotBeOthers = process.getuid?.() !== 0 || spawnSync(process.execPath, ["-e", "0"], { ...asUser, cwd: "/" }).status !== 0;

/** A place of its own for sockets: other services on this machine are none of the test's business. */
async function place(t: TestContext): Promise<{ readonly folder: string; readonly env: Readonly<Record<string, string>> }> {
  const folder = await mkdtemp(join(tmpdir(), "rc-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return { folder, env: { XDG_RUNTIME_DIR: folder, TMPDIR: folder } };
}

test("finds the only live one, and clears away what the dead have left", async (t) => {
  const { folder, env } = await place(t);
  const dead = await startService(t, { ...USUAL, control: null, env });
  await dead.untilReady();
  dead.signal("SIGKILL");
  await dead.exited();
  const left = join(folder, `rollcall-${dead.pid}.sock`);
  assert.ok(existsSync(left));
  writeFileSync(join(folder, "rollcall-1.sock"), "no socket");

  const service = await startService(t, { ...USUAL, control: null, env });
  await service.untilReady();
  const { code, stdout, stderr } = await runRollcall(t, ["status", "--json"], { env });
  assert.equal(code, 0, stderr);
  assert.equal((JSON.parse(stdout) as { pid: number }).pid, service.pid);
  assert.equal(existsSync(left), false);
  assert.ok(existsSync(join(folder, "rollcall-1.sock")));
});

test("lists several with pid and title, exits 2, and touches none", async (t) => {
  const { folder, env } = await place(t);
  const shop = await startService(t, { ...USUAL, control: null, env, flags: ["--title", "shop"] });
  const other = await startService(t, { ...USUAL, control: null, env });
  await Promise.all([shop.untilReady(), other.untilReady()]);
  const { code, stderr } = await runRollcall(t, ["stop"], { env });
  assert.equal(code, 2);
  assert.match(stderr, /2 services are running: say which one is meant/);
  assert.ok(stderr.includes(`--control ${join(folder, `rollcall-${shop.pid}.sock`)}   pid ${shop.pid}, shop\n`), stderr);
  assert.match(stderr, new RegExp(`pid ${other.pid}, .*http\\.mjs\n`));
  assert.deepEqual([await shop.probe("ready"), await other.probe("ready")], [200, 200]);
});

test("finds one at an unusual place by ROLLCALL_CONTROL and by the config file", async (t) => {
  const { folder, env } = await place(t);
  const control = join(folder, "elsewhere.sock");
  const service = await startService(t, { ...USUAL, control });
  await service.untilReady();
  assert.equal((await runRollcall(t, ["status"], { env, cwd: folder })).code, 1);
  assert.equal((await runRollcall(t, ["status"], { env: { ...env, ROLLCALL_CONTROL: control } })).code, 0);
  writeFileSync(join(folder, "rollcall.config.json"), '{ "control": "elsewhere.sock" }');
  assert.equal((await runRollcall(t, ["status"], { env, cwd: folder })).code, 0);
});

test("says that there is none, where it looked, and what to do", async (t) => {
  const { folder, env } = await place(t);
  const { code, stderr } = await runRollcall(t, ["reload"], { env });
  assert.equal(code, 1);
  assert.ok(stderr.startsWith(`rollcall: no running service found (looked for rollcall-*.sock in ${folder}): run this where`), stderr);
  const named = await runRollcall(t, ["reload", "--control", join(folder, "absent.sock")], { env });
  assert.deepEqual([named.code, /there is no control socket at .*absent\.sock/.test(named.stderr)], [1, true]);
});

test("as root finds another user's service, and as another user none of root's", {
  skip: cannotBeOthers && "needs root, and a Node that others may run",
}, async (t) => {
  const { folder, env } = await place(t);
  chmodSync(folder, 0o1777);
  const wrapper = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
  const service = await startService(t, { ...USUAL, control: null, env, wrapper, cwd: "/" });
  await service.untilReady();
  assert.equal((await runRollcall(t, ["reload"], { env })).code, 0);
  assert.equal((await runRollcall(t, ["reload"], { env, uid: 1_000, cwd: "/" })).code, 0);
  const stranger = await runRollcall(t, ["status"], { env, uid: 1_001, cwd: "/" });
  const path = join(folder, `rollcall-${service.pid}.sock`);
  assert.deepEqual(
    [stranger.code, stranger.stderr],
    [1, `rollcall: ${path} is a service of the user with the id 1000: run this as that user\n`],
  );
  const named = await runRollcall(t, ["status", "--control", path], { env, uid: 1_001, cwd: "/" });
  assert.deepEqual([named.code, /is another user's: run this as the user of the service, or as root/.test(named.stderr)], [1, true]);
});
