// A machine that hides /proc, jumps its clock, or has no process left to give: the service goes on, and gets well with it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { cannotMount, withMounts } from "../helpers/mounts.ts";
import { kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const PIDS = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].find((path) => existsSync(`${path}/cgroup.procs`)) ?? "";
const FLAGS = ["--drain-idle", "50ms", "--backoff-delay", "100ms", "--backoff-limit", "400ms", "--max-restarts", "1000"];

async function ask(service: Service, path: string): Promise<string> {
  return (await fetch(service.url(path), { headers: { connection: "close" } })).text();
}

/** A worker is lost and comes back; a reload; a stop. */
async function livesOn(service: Service): Promise<void> {
  const before = await service.workerPids();
  kill(before[0] as number);
  await until("another one has its place", async () => {
    const now = await service.workerPids();
    return now.length === before.length && now[0] !== before[0];
  });
  service.signal("SIGHUP");
  await until("the reload is over", async () => (await service.metric('rollcall_reloads_total{result="success"}')) === 1);
  assert.equal(await ask(service, "/"), "hello");
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
  assert.ok(!service.hasLogged(/unexpected error/), service.output());
}

describe("/proc", { concurrency: 2, skip: cannotMount() }, () => {
  const SIGHTS = {
    "that is hidden": "mount -t tmpfs none /proc",
    "that is read-only": "mount -o remount,bind,ro /proc 2>/dev/null || mount -t proc -o ro proc /proc",
    "that shows nobody else's processes": "mount -t proc -o hidepid=2 proc /proc",
  } as const;
  for (const [name, script] of Object.entries(SIGHTS)) {
    test(`${name}: the service starts, heals, reloads and stops`, async (t) => {
      const service = await startService(t, { app: "http.mjs", workers: 2, flags: FLAGS, wrapper: withMounts(script) });
      await service.untilReady();
      assert.equal(await service.probe("live"), 200);
      assert.match(await service.metrics(), /^rollcall_live 1$/m);
      await livesOn(service);
    });
  }
});

describe("the clock on the wall", { skip: spawnSync("faketime", ["--version"]).status !== 0 && "needs faketime" }, () => {
  test("may jump forward and back: nobody is killed for it, and every wait takes its time", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "hm-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "time");
    const set = (time: string): void => writeFileSync(file, `${time}\n`);
    set("+0");
    const service = await startService(t, {
      app: "http.mjs",
      workers: 2,
      flags: [...FLAGS, "--roll-call-period", "500ms", "--heartbeat-timeout", "10s"],
      // What faketime itself does, but that the time is read again each time, and the monotonic clock is left alone.
      env: {
        LD_PRELOAD: libraryOfFaketime(),
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        DONT_FAKE_MONOTONIC: "1",
      },
    });
    await service.untilReady();
    const pids = await service.workerPids();
    const logsAt = async (jump: number): Promise<void> => {
      const before = service.log().length;
      service.signal("SIGUSR2");
      const line = await until("it has logged", () => service.log().find(({ msg }, index) => index >= before && msg === "status"));
      const offMs = Date.parse(line.time as string) - Date.now() - jump;
      assert.ok(Math.abs(offMs) < 3_600_000, `the service does not see the jump: it is off by ${offMs} ms`);
    };
    const goodCalls = () => service.metric('rollcall_roll_calls_total{result="success"}');
    const day = 86_400_000;
    for (const [time, jump] of [
      ["+2d", 2 * day],
      ["-3d", -3 * day],
      ["+0", 0],
    ] as const) {
      set(time);
      await logsAt(jump);
      const before = await goodCalls();
      await until("the roll is called again", async () => (await goodCalls()) > before + 1);
      assert.deepEqual(await service.workerPids(), pids, time);
      assert.equal(await service.probe("ready"), 200);
    }
    set("-3d");
    assert.equal(service.hasLogged(/(?:stood still|has not answered) for \d{7,} ms/), false, service.output());
    await livesOn(service);
  });
});

describe("a limit of processes", { skip: cannotLimit() }, () => {
  test("that is reached costs the replacement of a worker until there is room again, and no more", async (t) => {
    const group = join(PIDS, `rollcall-test-${process.pid}`);
    mkdirSync(group);
    const wrapper = ["sh", "-c", `echo $$ >${group}/cgroup.procs; exec "$@"`, "--"];
    const service = await startService(t, { app: "http.mjs", workers: 2, flags: FLAGS, wrapper });
    // Empty once the service is gone.
    t.after(() =>
      until("the group is empty", () => {
        rmdirSync(group);
        return true;
      }),
    );
    await service.untilReady();
    const [first, second] = await service.workerPids();
    writeFileSync(`${group}/pids.max`, "1");
    kill(first as number);
    await until("a fork has failed", () =>
      service.hasLogged(/^Cannot start worker 0: there may be no more processes or threads \(EAGAIN\)/),
    );
    assert.equal(await ask(service, "/pid"), String(second));
    assert.equal(await service.probe("ready"), 200);
    assert.match(await service.metrics(), /^rollcall_live 1$/m);
    writeFileSync(`${group}/pids.max`, "max");
    await until("the worker is back", async () => (await service.workerPids()).length === 2);
    await livesOn(service);
  });
});

function libraryOfFaketime(): string {
  const shown = spawnSync("faketime", ["now", "sh", "-c", "echo $LD_PRELOAD"], { encoding: "utf8" }).stdout;
  return shown.trim();
}

function cannotLimit(): false | string {
  const probe = join(PIDS, `rollcall-try-${process.pid}`);
  try {
    mkdirSync(probe);
  } catch {
    return "needs the right to make a control group";
  }
  const has = existsSync(`${probe}/pids.max`);
  rmdirSync(probe);
  return !has && "needs the pids controller";
}
