// Orphans: reaped as PID 1 and as a subreaper, without ever taking a child of the master's own; what happens where that cannot be.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, type TestContext, test } from "node:test";
import type { OrphansView } from "../../src/master/orphans.ts";
import { ask } from "../helpers/load.ts";
import { assertOneLine, run } from "../helpers/mistakes.ts";
import {
  asPid1,
  asPid1After,
  asPid1InForeignProc,
  firstBelow,
  noPid1,
  noReaper,
  WITHOUT_INITS,
  WITHOUT_KOFFI,
} from "../helpers/namespaces.ts";
import { childrenOf, zombiesOf } from "../helpers/processes.ts";
import { FIXTURES, type Service, type ServiceOptions, startService } from "../helpers/service.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

const ORPHANS = 100;
const CRASHES = 24;

async function start(t: TestContext, options: Partial<ServiceOptions>): Promise<Service> {
  const service = await startService(t, { app: "orphans.mjs", workers: 2, ...options });
  await service.untilReady();
  return service;
}

const view = async (service: Service): Promise<OrphansView & { readonly pid: number }> => {
  const status = (await service.status()) as unknown as { orphans: OrphansView; pid: number };
  return { ...status.orphans, pid: status.pid };
};

/** Leaves orphans behind and waits until the master, whose pid the test knows, has reaped them. */
async function untilReaped(service: Service, master: number, what: string): Promise<void> {
  assert.equal((await ask(service.url(`/?count=${ORPHANS}&ms=200`))).body, "0");
  // Some may have ended before their parent did: those are nobody's orphans.
  await until(`${what} reaps`, async () => (await view(service)).reaped > ORPHANS / 2);
  await until("only the service's own children are left", () => childrenOf(master).length === 2 && zombiesOf(master).length === 0);
  await until("the gauge says so", async () => (await view(service)).zombies === 0);
}

async function stops(service: Service, master: number): Promise<void> {
  process.kill(master, "SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
}

describe("orphans", { concurrency: 2 }, () => {
  test("are reaped as PID 1", { skip: noReaper }, async (t) => {
    const service = await start(t, { wrapper: asPid1 ?? [] });
    const master = await firstBelow(service.pid);
    await untilReaped(service, master, "PID 1");
    const { reapedBy, init, pid } = await view(service);
    assert.deepEqual({ reapedBy, init, pid }, { reapedBy: "rollcall", init: null, pid: 1 });
    assert.ok((await service.metric("rollcall_orphans_reaped_total")) > ORPHANS / 2);
    assert.equal(await service.metric("rollcall_zombies"), 0);
    await stops(service, master);
  });

  test("are reaped with --subreaper, where the master is not PID 1", { skip: noReaper }, async (t) => {
    const service = await start(t, { flags: ["--subreaper"] });
    await untilReaped(service, service.pid, "the subreaper");
    assert.equal((await view(service)).reapedBy, "rollcall");
    await stops(service, service.pid);
  });

  test("are left to PID 1 without it", async (t) => {
    const service = await start(t, {});
    assert.equal((await view(service)).reapedBy, "pid-1");
    assert.equal((await ask(service.url(`/?count=${ORPHANS}&ms=1`))).body, "0");
    assert.deepEqual(zombiesOf(service.pid), []);
    await stops(service, service.pid);
  });

  test("are reaped as PID 1 whose /proc shows other processes", { skip: noReaper }, async (t) => {
    const service = await start(t, { wrapper: asPid1InForeignProc });
    const master = await firstBelow(service.pid);
    await untilReaped(service, master, "a PID 1 that sees nothing");
    await stops(service, master);
  });

  test("are reaped as PID 1 without any /proc", { skip: noReaper }, async (t) => {
    const service = await start(t, { wrapper: asPid1After("mount -t tmpfs none /proc") });
    const master = await firstBelow(service.pid);
    await untilReaped(service, master, "a PID 1 without /proc");
    await stops(service, master);
  });

  test(`never cost an exit of the master's own children: ${CRASHES} crashes among ${(CRASHES / 4) * ORPHANS} orphans`, {
    skip: noReaper,
  }, async (t) => {
    const flags = ["--backoff-delay", "0ms", "--max-restarts", "1000000", "--roll-call-period", "1h"];
    const service = await start(t, { workers: 3, wrapper: asPid1 ?? [], flags });
    const master = await firstBelow(service.pid);
    const exits = (): Promise<number> => service.metric('rollcall_process_exits_total{role="worker",outcome="killed"}');
    let orphans = 0;
    for (let crash = 1; crash <= CRASHES; crash++) {
      if (crash % 4 === 0) {
        await ask(service.url(`/?count=${ORPHANS}&ms=200`));
        orphans += ORPHANS;
      }
      await until("a worker answers with its death", () =>
        ask(service.url("/kill")).then(
          () => false,
          () => true,
        ),
      );
      await until(`exit ${crash} is seen`, async () => (await exits()) >= crash);
    }
    assert.equal(await exits(), CRASHES, "one exit for each death");
    await until("all workers are back", async () => (await service.status()).workersReady === 3, DEADLINE_MS * 2);
    await until("nothing is left", () => childrenOf(master).length === 3 && zombiesOf(master).length === 0);
    assert.ok((await view(service)).reaped > orphans / 2);
    await stops(service, master);
  });
});

describe("without koffi", { concurrency: 2 }, () => {
  const hasTini = spawnSync("tini", ["--version"]).error === undefined;

  test("PID 1 gives way to an init that is installed, which reaps and passes signals on", {
    skip: noPid1 || (!hasTini && "tini is not installed"),
  }, async (t) => {
    const service = await start(t, { wrapper: asPid1 ?? [], env: WITHOUT_KOFFI });
    const init = await firstBelow(service.pid);
    const { reapedBy, init: name, pid } = await view(service);
    assert.equal(reapedBy, "pid-1");
    assert.match(String(name), /^tini/);
    assert.notEqual(pid, 1);
    await until("it says so", () => service.hasLogged(/tini has taken the place of PID 1 and reaps orphans/));
    assert.equal((await ask(service.url(`/?count=${ORPHANS}&ms=200`))).body, "0");
    await until("only the service is left", () => childrenOf(init).length === 3 && zombiesOf(init).length === 0);
    await stops(service, init);
  });

  test("and without an init PID 1 warns once, counts the zombies and serves on", { skip: noPid1 }, async (t) => {
    const service = await start(t, { wrapper: asPid1After(WITHOUT_INITS), env: WITHOUT_KOFFI });
    const master = await firstBelow(service.pid);
    assert.equal((await ask(service.url(`/?count=${ORPHANS}&ms=200`))).body, "0");
    await until("the gauge counts them", async () => (await service.metric("rollcall_zombies")) > ORPHANS / 2);
    assert.equal(await service.metric("rollcall_orphans_reaped_total"), 0);
    assert.equal((await view(service)).reapedBy, "nobody");
    assertOneLine(
      service.log().map(({ msg }) => msg),
      /^Cannot reap orphans as PID 1: the optional dependency koffi is not installed; .* Expected koffi, or an init in the image/,
    );
    assert.equal((await ask(service.url("/"))).body, "hello");
    await stops(service, master);
  });

  test("--subreaper is refused with 2 and what to do", async (t) => {
    const { code, told } = await run(t, ["--subreaper", `${FIXTURES}app-http.mjs`], { env: WITHOUT_KOFFI });
    assert.equal(code, 2);
    assertOneLine(
      told,
      /subreaper: expected .* but the optional dependency koffi is not installed; install koffi, or leave the option off$/,
    );
  });
});
