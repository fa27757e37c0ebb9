// Ports that nobody declared, as the master sees them: lodged, shared with who has the queue, and given up when the app has left them.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Lodgings } from "../../../src/master/lodgings.ts";
import type { MasterToChild } from "../../../src/messenger/wire.ts";
import { HeldSockets } from "../../../src/sockets/held.ts";
import { bindHandle, bindName, type TcpHandle } from "../../../src/sockets/internals.ts";
import { freePort } from "../../helpers/ports.ts";
import { Story } from "../../helpers/story.ts";
import { until } from "../../helpers/until.ts";

const onLinux = { skip: process.platform !== "linux" && "needs Linux" };

interface Ground {
  readonly story: Story;
  readonly sockets: HeldSockets;
  readonly port: number;
  /** Orders to workers, as "life type". */
  readonly told: readonly string[];
  readonly lodgings: Lodgings;
  lodge(life: number, queue: number, handle?: TcpHandle): void;
  say(life: number, type: "opened" | "shut" | "reopened"): void;
  /** Fires every timer that is armed now, and says how many these were. */
  elapse(): number;
}

async function lay(t: TestContext, declared: readonly number[] = []): Promise<Ground> {
  const story = new Story({ listening: { perSlot: true, spread: 2 }, workerCount: 2, hasAgent: false }).boot();
  const sockets = new HeldSockets(declared, null, true);
  for (const queue of [0, 1]) sockets.open(queue);
  t.after(() => sockets.close());
  const told: string[] = [];
  const timers = new Set<() => void>();
  const lodgings = new Lodgings({
    sockets,
    write() {},
    children: { tell: (life: number, { type }: MasterToChild) => told.push(`${life} ${type}`) > 0 },
    world: {
      startTimer(_ms, callback) {
        timers.add(callback);
        return () => timers.delete(callback);
      },
    },
    state: () => story.state,
  });
  const port = declared[0] ?? (await freePort());
  return {
    story,
    sockets,
    port,
    told,
    lodgings,
    lodge: (life, queue, handle = bindHandle(null, port) as TcpHandle) =>
      lodgings.onPort(life, { type: "lodged", queue, port, host: null }, handle),
    say: (life, type) => lodgings.onPort(life, { type, port, host: null }, undefined),
    elapse() {
      const due = [...timers];
      timers.clear();
      for (const callback of due) callback();
      return due.length;
    },
  };
}

test("a lodged queue goes to who else has it, and is held", onLinux, async (t) => {
  const { story, sockets, told, lodge } = await lay(t);
  const [first, second] = [story.worker(0), story.worker(1)];
  lodge(first, 0);
  lodge(second, 1);
  assert.deepEqual(told, [`${second} adopt`, `${first} adopt`]);
  lodge(second, 1, sockets.of([1])[0]?.handle);
  assert.equal(told.length, 2, "held already");
  lodge(second, 1);
  assert.deepEqual(told.slice(2), [`${first} adopt`], "what an overlapping life of the slot has bound");
  assert.equal(sockets.of([0, 1]).length, 3);
});

test("a port that every worker has left is given up after a while, and whoever has a copy is told", onLinux, async (t) => {
  const { story, sockets, told, lodge, say, elapse } = await lay(t);
  const [first, second] = [story.worker(0), story.worker(1)];
  lodge(first, 0);
  lodge(second, 1);
  say(first, "shut");
  assert.equal(elapse(), 0, "one has it still");
  say(second, "shut");
  assert.equal(sockets.of([0, 1]).length, 2, "not at once");
  assert.equal(elapse(), 1);
  assert.deepEqual(told.slice(2), [`${first} forget`, `${second} forget`]);
  assert.deepEqual(sockets.of([0, 1]), []);
  // What comes late, from a worker that had begun to listen meanwhile, is held again.
  lodge(second, 1);
  assert.equal(sockets.of([1]).length, 1);
});

test("the lock of a port goes with the last address on it, and not before", onLinux, async (t) => {
  const { story, port, lodgings, lodge, say, elapse } = await lay(t);
  const [first, second] = [story.worker(0), story.worker(1)];
  const name = `rollcall/test/${process.pid}/${port}`;
  const isLocked = (): boolean => {
    const handle = bindName(name);
    if (typeof handle !== "number") handle.close();
    return typeof handle === "number";
  };
  const host = "127.0.0.1";
  lodge(first, 0);
  lodgings.onPort(first, { type: "locked", port }, bindName(name) as TcpHandle);
  lodgings.onPort(second, { type: "lodged", queue: 1, port, host }, bindHandle(host, port) as TcpHandle);
  say(first, "shut");
  elapse();
  assert.ok(isLocked(), "somebody listens on the other address");
  lodgings.onPort(second, { type: "shut", port, host }, undefined);
  elapse();
  await until("it is free", () => !isLocked());
});

test("opened again in time, by whomever, it is kept; and its queues are offered to who asks", onLinux, async (t) => {
  const { story, sockets, told, lodge, say, elapse } = await lay(t);
  const [first, second] = [story.worker(0), story.worker(1)];
  lodge(first, 0);
  say(first, "shut");
  say(second, "opened");
  assert.equal(elapse(), 0);
  say(second, "shut");
  say(first, "reopened");
  assert.equal(elapse(), 0);
  assert.deepEqual(told.slice(-2), [`${first} adopt`, `${first} offered`]);
  assert.equal(sockets.of([0]).length, 1);
});

test("while a worker is down or on its way the port is kept for it", onLinux, async (t) => {
  const { story, sockets, lodge, lodgings, elapse } = await lay(t);
  const first = story.worker(0);
  lodge(first, 0);
  lodgings.onGone(first);
  story.exit(first, "SIGKILL");
  assert.equal(elapse(), 1);
  assert.equal(sockets.of([0]).length, 1, "its successor starts");
  story.ready();
  assert.equal(elapse(), 1);
  assert.deepEqual(sockets.of([0]), [], "it listens elsewhere");
  assert.equal(elapse(), 0, "no timer is left");
});

test("a declared port is never given up, nor anything in a stop", onLinux, async (t) => {
  const declared = await lay(t, [await freePort()]);
  declared.say(declared.story.worker(0), "opened");
  declared.say(declared.story.worker(0), "shut");
  assert.equal(declared.elapse(), 0);
  const { story, sockets, lodge, say, elapse } = await lay(t);
  lodge(story.worker(0), 0);
  say(story.worker(0), "shut");
  story.signal("SIGTERM");
  assert.equal(elapse(), 1);
  assert.equal(sockets.of([0]).length, 1);
  assert.equal(elapse(), 0);
});

test("what a worker says of ports that it never lodged leaves nothing behind", onLinux, async (t) => {
  const { story, told, lodgings, elapse } = await lay(t);
  for (let port = 1; port < 1_000; port++) {
    for (const type of ["opened", "shut"] as const) lodgings.onPort(story.worker(0), { type, port, host: null }, undefined);
  }
  assert.deepEqual([told.length, elapse()], [0, 0]);
});
