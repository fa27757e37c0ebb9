// The control socket as a file: whose it is, where it lies, and what happens to one that is there already.
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ask } from "../helpers/control.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const STATUS = '{"rollcall":1,"command":"status"}\n';
const USUAL = { app: "http.mjs", workers: 1 } as const;

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "rc-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

test("is its owner's alone, whatever the umask, answers before the workers are ready, and is gone after the stop", async (t) => {
  const wrapper = ["sh", "-c", 'umask 0 && exec "$@"', "sh"];
  const service = await startService(t, { ...USUAL, app: "bad-never-listens.mjs", wrapper });
  await until("the socket is there", () => exists(service.control));
  assert.equal(lstatSync(service.control).mode & 0o777, 0o600);
  const [answer] = await ask(t, service.control, STATUS);
  assert.ok(answer?.event === "status");
  assert.equal((answer.status as { state: string }).state, "starting");
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0);
  assert.equal(exists(service.control), false);
});

test("lies in XDG_RUNTIME_DIR, else in the temporary folder, under the master's pid", async (t) => {
  const [runtime, temporary] = [await folder(t), await folder(t)];
  for (const [env, where] of [
    [{ XDG_RUNTIME_DIR: runtime, TMPDIR: temporary }, runtime],
    [{ XDG_RUNTIME_DIR: "", TMPDIR: temporary }, temporary],
    [{ XDG_RUNTIME_DIR: join(runtime, "absent"), TMPDIR: temporary }, temporary],
  ] as const) {
    const service = await startService(t, { ...USUAL, control: null, env });
    await service.untilReady();
    const path = join(where, `rollcall-${service.pid}.sock`);
    assert.equal((await ask(t, path, STATUS))[0]?.event, "status");
    assert.equal(service.hasLogged(/no control socket/), false);
    service.signal("SIGTERM");
    await service.exited();
    assert.equal(exists(path), false);
  }
});

test("is left out with one warning where no place will do", async (t) => {
  const place = join(await folder(t), "absent");
  const service = await startService(t, { ...USUAL, control: null, env: { XDG_RUNTIME_DIR: place, TMPDIR: place } });
  await service.untilReady();
  const warnings = service.log().filter(({ msg }) => /no control socket, so .* cannot reach this service: cannot open .*absent/.test(msg));
  assert.deepEqual(
    warnings.map(({ level }) => level),
    ["warn"],
  );
});

test("is left out without a word by --control off", async (t) => {
  const place = await folder(t);
  const service = await startService(t, { ...USUAL, control: "off", env: { XDG_RUNTIME_DIR: place, TMPDIR: place } });
  await service.untilReady();
  assert.deepEqual(
    readdirSync(place).filter((name) => name.endsWith(".sock")),
    [],
  );
  assert.equal(service.hasLogged(/control/), false);
});

test("replaces the socket of a master that was killed, at its own path and under its own pid", async (t) => {
  const control = join(await folder(t), "c.sock");
  const first = await startService(t, { ...USUAL, control });
  await first.untilReady();
  first.signal("SIGKILL");
  await first.exited();
  assert.ok(exists(control));
  const second = await startService(t, { ...USUAL, control });
  await second.untilReady();
  const [answer] = await ask(t, control, STATUS);
  assert.ok(answer?.event === "status");
  assert.equal((answer.status as { pid: number }).pid, second.pid);
});

test("is refused with exit 2 over a live service's, over what is no socket, and where it cannot be", async (t) => {
  const place = await folder(t);
  const live = join(place, "live.sock");
  const other = createServer((socket) => socket.destroy()).listen(live);
  t.after(() => other.close());
  writeFileSync(join(place, "file"), "precious");
  mkdirSync(join(place, "folder"));
  for (const [control, problem] of [
    [live, /control: a live service has .*live\.sock; choose another path with --control, or off/],
    [join(place, "file"), /file is there already and is not a socket/],
    [join(place, "folder"), /folder is there already and is not a socket/],
    [join(place, "absent", "c.sock"), /cannot open .*c\.sock: there is no folder .*\/absent;/],
    [join(place, "x".repeat(120)), /longer than the \d+ bytes/],
  ] as const) {
    const service = await startService(t, { ...USUAL, control });
    assert.equal((await service.exited()).code, 2, service.output());
    assert.match(service.output(), problem);
  }
  assert.equal(lstatSync(join(place, "file")).size, 8);
  assert.ok(lstatSync(live).isSocket());
});

test("goes away when the rest of the start fails", async (t) => {
  const service = await startService(t, { ...USUAL, flags: ["--pid-file", "/proc/absent"] });
  assert.equal((await service.exited()).code, 2);
  assert.match(service.output(), /pid-file: cannot write/);
  assert.equal(exists(service.control), false);
});

test("goes away in the last resort too", async (t) => {
  const service = await startService(t, USUAL);
  await service.untilReady();
  // No handler of the master's: signal-exit sees it.
  service.signal("SIGABRT");
  assert.equal((await service.exited()).signal, "SIGABRT");
  assert.equal(exists(service.control), false);
});
