// A log that cannot be written, a disk that is full: what the master writes is never worth a service that runs.
import assert from "node:assert/strict";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { cannotMount, withMounts } from "../helpers/mounts.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const NO_MOUNTS = cannotMount();
const USUAL = { app: "http.mjs", workers: 1, flags: ["--drain-idle", "50ms"] };

/** Without its log: it serves, counts signals, reloads and stops well. */
async function worksOn(service: Service, code = 0): Promise<void> {
  assert.equal(await (await fetch(service.url("/"), { headers: { connection: "close" } })).text(), "hello");
  service.signal("SIGUSR2");
  await until("the signal is counted", async () => (await service.metric('rollcall_signals_total{signal="SIGUSR2"}')) >= 1);
  service.signal("SIGHUP");
  await until("the reload is over", async () => (await service.metric('rollcall_reloads_total{result="success"}')) === 1);
  assert.equal(await service.probe("ready"), 200);
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, code);
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "hd-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe("a log that cannot be written", { concurrency: 2 }, () => {
  test("because its reader has gone costs the log alone", async (t) => {
    const service = await startService(t, USUAL);
    await service.untilReady();
    service.process.stdout?.destroy();
    service.process.stderr?.destroy();
    await worksOn(service);
  });

  test("because its device is full costs the log alone", { skip: !existsSync("/dev/full") && "there is no /dev/full" }, async (t) => {
    const service = await startService(t, { ...USUAL, wrapper: ["sh", "-c", 'exec "$@" >/dev/full', "--"] });
    await service.untilReady();
    await worksOn(service);
  });

  test("because its disk is full is written when there is room again", { skip: NO_MOUNTS }, async (t) => {
    const place = folder(t);
    const script = `mount -t tmpfs -o size=256k none ${place}; exec >${place}/log`;
    const service = await startService(t, { ...USUAL, wrapper: withMounts(script) });
    await service.untilReady();
    // The mount is the service's alone, and this is its view of it.
    const seen = `/proc/${service.pid}/root${place}`;
    const filler = openSync(`${seen}/filler`, "w");
    assert.throws(
      () => {
        for (;;) writeSync(filler, Buffer.alloc(512, "x"));
      },
      { code: "ENOSPC" },
    );
    closeSync(filler);
    const size = statSync(`${seen}/log`).size;
    const logged = (): number => readFileSync(`${seen}/log`, "utf8").split('"msg":"status"').length - 1;
    for (let count = 1; count <= 20; count++) {
      service.signal("SIGUSR2");
      await until("it is counted", async () => (await service.metric('rollcall_signals_total{signal="SIGUSR2"}')) === count);
    }
    // The last page of the file had some room left.
    assert.ok(statSync(`${seen}/log`).size < size + 8_192);
    unlinkSync(`${seen}/filler`);
    await until("nothing of the log is missing", () => logged() === 20);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0);
  });
});

describe("a full disk", { concurrency: 2, skip: NO_MOUNTS }, () => {
  test("takes no pid file: exit 2 says so, and no empty file stays", async (t) => {
    const place = folder(t);
    // Afterwards the mount is gone with the service, so its shell looks.
    const look = ["sh", "-c", 'set +e; "$@"; code=$?; ls -A "$PLACE"; exit $code', "--"];
    const script = `mount -t tmpfs -o size=4k none ${place}; echo x >${place}/filler`;
    const service = await startService(t, {
      ...USUAL,
      flags: ["--pid-file", join(place, "pid")],
      env: { PLACE: place },
      wrapper: [...withMounts(script), ...look],
    });
    assert.equal((await service.exited()).code, 2, service.output());
    assert.match(service.output(), /pid-file: cannot write .*pid: ENOSPC/);
    assert.match(service.output(), /^filler\n$/m);
    assert.doesNotMatch(service.output(), /^pid$/m);
  });

  test("takes no control socket: the service runs without, and a path that was asked for is exit 2", async (t) => {
    const place = folder(t);
    // Room for the folder alone.
    const wrapper = withMounts(`mount -t tmpfs -o nr_inodes=1 none ${place}`);
    const env = { XDG_RUNTIME_DIR: place, TMPDIR: place };
    const service = await startService(t, { ...USUAL, control: null, env, wrapper });
    await service.untilReady();
    assert.ok(service.hasLogged(/^no control socket, so .*ENOSPC/), service.output());
    await worksOn(service);
    const asked = await startService(t, { ...USUAL, control: join(place, "c.sock"), wrapper });
    assert.equal((await asked.exited()).code, 2, asked.output());
    assert.match(asked.output(), /control: cannot open .*ENOSPC.*; choose another path/);
  });

  test("takes no pid file through a link either, and what it points to stays", { skip: !existsSync("/dev/full") }, async (t) => {
    const link = join(folder(t), "pid");
    symlinkSync("/dev/full", link);
    const service = await startService(t, { ...USUAL, flags: ["--pid-file", link] });
    assert.equal((await service.exited()).code, 2, service.output());
    assert.ok(existsSync("/dev/full") && existsSync(link));
  });
});
