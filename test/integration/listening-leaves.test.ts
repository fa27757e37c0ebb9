// An app that leaves a port: who comes then is refused, as without Rollcall, and is served again when the app is back.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { listenersOf, socketsOf } from "../helpers/listeners.ts";
import { accepts, ask } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import type { Service } from "../helpers/service.ts";
import { startListening, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const WORKERS = 2;

async function start(t: TestContext, side: number, flags: readonly string[] = []): Promise<Service> {
  const options = { workers: WORKERS, app: "listen-leaves.mjs", env: { SIDE_PORT: String(side) }, flags };
  const service = await startListening(t, { listen: "paired", declared: true }, options);
  await service.untilReady();
  await untilWhole(service, 1, WORKERS);
  return service;
}

const slotOf = async (url: string): Promise<number> => (JSON.parse((await ask(url)).body) as { slot: number }).slot;

async function everywhere(service: Service, path: string): Promise<void> {
  const slots = new Set<number>();
  await until(`every slot has answered ${path}`, async () => slots.add(await slotOf(service.url(path))).size === WORKERS);
}

async function untilServed(port: number): Promise<void> {
  const slots = new Set<number>();
  await until("every slot serves the port", async () => slots.add(await slotOf(`http://127.0.0.1:${port}/`)).size === WORKERS);
}

describe("a port that the app has left", { concurrency: 2, skip: process.platform !== "linux" && "needs /proc" }, () => {
  test("in every worker, undeclared: refuses, and serves from all workers when it is opened again", async (t) => {
    const side = await freePort();
    const service = await start(t, side);
    for (let times = 0; times < 2; times++) {
      await untilServed(side);
      await everywhere(service, "/close");
      await until("connections are refused", async () => !(await accepts(side)));
      assert.deepEqual(listenersOf(side), []);
      await everywhere(service, "/open");
    }
    await untilServed(side);
    await until("the master holds every socket", () => {
      const held = socketsOf(service.pid);
      return listenersOf(side).length === WORKERS && listenersOf(side).every(({ inode }) => held.has(inode));
    });
  });

  test("in one worker, undeclared: is served by the other", async (t) => {
    const side = await freePort();
    const service = await start(t, side);
    const closed = await slotOf(service.url("/close"));
    for (let asked = 0; asked < 20; asked++) assert.notEqual(await slotOf(`http://127.0.0.1:${side}/`), closed);
    assert.equal(listenersOf(side).length, WORKERS, "with its queue");
  });

  test("in every worker, declared: waits for the app, and is served when it is back", async (t) => {
    const side = await freePort();
    const service = await start(t, side, ["--port", String(side)]);
    await everywhere(service, "/close");
    const waiting = ask(`http://127.0.0.1:${side}/`);
    await everywhere(service, "/open");
    assert.equal((await waiting).status, 200);
  });
});
