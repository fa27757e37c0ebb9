// Sticky: 1,000 clients, by address and behind a proxy, keep their slot through reload, restart, crash and scale; one slot that is gone moves only its own.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { kill } from "../helpers/processes.ts";
import { runRollcall, type Service } from "../helpers/service.ts";
import { behindProxy, byAddress, type Client, type Served, servedTo, servedToAll, startSticky } from "../helpers/sticky.ts";
import { untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const WORKERS = 4;
const CLIENTS = 1_000;
/** Where the figures need no more. */
const SOME = 300;
const GONE = 2;

const WAYS: readonly (readonly [name: string, flags: readonly string[], client: Client])[] = [
  ["by address", [], byAddress],
  ["by the forwarded header", ["--sticky-trust", "1"], behindProxy],
];

const slots = (served: readonly Served[]): readonly number[] => served.map(({ slot }) => slot);
const pids = (served: readonly Served[]): readonly number[] => served.map(({ pid }) => pid);
const pidOf = async (service: Service, slot: number): Promise<number> =>
  (await service.status()).workers[slot]?.processes.find(({ state }) => state === "ready")?.pid ?? 0;

describe("1,000 clients", { concurrency: 2, skip: process.platform !== "linux" && "needs all of 127.0.0.0/8" }, () => {
  for (const [name, flags, client] of WAYS) {
    test(`${name}: keep their slot through a reload, and their worker through the restart of others`, async (t) => {
      const service = await startSticky(t, { workers: WORKERS, flags });
      await untilWhole(service, 1, WORKERS);
      const before = await servedToAll(service, client, CLIENTS);
      for (let slot = 0; slot < WORKERS; slot++) {
        const count = slots(before).filter((each) => each === slot).length;
        assert.ok(count > CLIENTS / WORKERS / 2 && count < (CLIENTS / WORKERS) * 1.5, `slot ${slot} has ${count} of ${CLIENTS}`);
      }
      assert.equal(new Set(pids(before)).size, WORKERS);
      const restarted = await runRollcall(t, ["restart", String(GONE), "--control", service.control]);
      assert.equal(restarted.code, 0, restarted.stderr);
      await untilWhole(service, 1, WORKERS);
      const after = await servedToAll(service, client, CLIENTS);
      assert.deepEqual(slots(after), slots(before));
      const ofOthers = (served: readonly Served[]): readonly Served[] => served.filter(({ slot }) => slot !== GONE);
      assert.deepEqual(pids(ofOthers(after)), pids(ofOthers(before)));
      assert.notDeepEqual(pids(after), pids(before), "the one is another process now");
      service.signal("SIGHUP");
      await untilWhole(service, 2, WORKERS);
      assert.deepEqual(slots(await servedToAll(service, client, CLIENTS)), slots(before));
    });

    test(`${name}: a crash moves those of the crashed worker alone, and they are back when its slot is`, async (t) => {
      const hold = join(tmpdir(), `rollcall-hold-${process.pid}-${flags.length}`);
      t.after(() => rmSync(hold, { force: true }));
      const service = await startSticky(t, { workers: WORKERS, flags, env: { HOLD: hold, HELD_SLOT: String(GONE) } });
      await untilWhole(service, 1, WORKERS);
      const before = await servedToAll(service, client, CLIENTS);
      writeFileSync(hold, "");
      kill(await pidOf(service, GONE));
      await until("the slot is empty", async () => (await service.status()).workersReady === WORKERS - 1);
      const meanwhile = await servedToAll(service, client, CLIENTS);
      const heirs = new Set<number>();
      for (const [index, { slot, pid }] of before.entries()) {
        if (slot === GONE) heirs.add(meanwhile[index]?.slot ?? -1);
        else assert.equal(meanwhile[index]?.pid, pid, `client ${index} was slot ${slot}'s`);
      }
      assert.deepEqual([...heirs].toSorted(), [0, 1, 3], "shared by all of the others");
      rmSync(hold);
      await untilWhole(service, 1, WORKERS);
      assert.deepEqual(slots(await servedToAll(service, client, CLIENTS)), slots(before));
    });

    test(`${name}: one worker more takes its share from all, and gives it back`, async (t) => {
      const service = await startSticky(t, { workers: WORKERS, flags });
      await untilWhole(service, 1, WORKERS);
      const before = await servedToAll(service, client, SOME);
      service.signal("SIGTTIN");
      await untilWhole(service, 1, WORKERS + 1);
      const more = await servedToAll(service, client, SOME);
      const moved = more.filter(({ slot }, index) => slot !== before[index]?.slot);
      assert.deepEqual(new Set(slots(moved)), new Set([WORKERS]), "who moves moves to the new one");
      assert.ok(moved.length > SOME / 10 && moved.length < SOME / 3, `${moved.length} moved`);
      service.signal("SIGTTOU");
      await untilWhole(service, 1, WORKERS);
      assert.deepEqual(pids(await servedToAll(service, client, SOME)), pids(before));
    });
  }
});

test("a client is the successor's as soon as that is on trial, and its worker's again when it comes to nothing", async (t) => {
  const service = await startSticky(t, { workers: 1, env: { ROLLCALL_SETTLE: "6s" } });
  const before = await servedTo(service, byAddress(0));
  service.signal("SIGHUP");
  await until("the successor is on trial", async () => {
    const processes = (await service.status()).workers[0]?.processes ?? [];
    const { pid } = await servedTo(service, byAddress(0));
    // Seen before and after: the trial was on in between.
    const after = (await service.status()).workers[0]?.processes ?? [];
    const isOn = [processes, after].every((each) => each.length === 2 && each.every(({ state }) => state === "ready"));
    if (isOn) assert.notEqual(pid, before.pid);
    return isOn;
  });
  const { pid } = await servedTo(service, byAddress(0));
  kill(pid);
  await until("it is gone", async () => !(await service.workerPids()).includes(pid));
  assert.equal((await servedTo(service, byAddress(0))).pid, before.pid);
});
