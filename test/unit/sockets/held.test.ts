// The sockets that the master holds, the locks of their ports, and the self-test of what all of it leans on.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { HeldSockets } from "../../../src/sockets/held.ts";
import { bindHandle, type TcpHandle } from "../../../src/sockets/internals.ts";
import { lockPort } from "../../../src/sockets/lock.ts";
import { selfTest } from "../../../src/sockets/self-test.ts";
import { listenersOf } from "../../helpers/listeners.ts";
import { freePort } from "../../helpers/ports.ts";

const onLinux = { skip: process.platform !== "linux" && "needs Linux" };

test("the self-test passes on this Node", onLinux, async () => {
  assert.equal(await selfTest(), null);
});

test("the self-test says what is missing where Node no longer takes handles", onLinux, async (t) => {
  const { listen } = net.Server.prototype;
  t.mock.method(net.Server.prototype, "listen", function (this: net.Server, _options: object, listening: () => void) {
    return listen.call(this, { port: 0 }, listening);
  });
  assert.equal(await selfTest(), "listen() does not use the handle that it is given");
});

test("binds one socket for each queue and declared port, and listens on none", onLinux, async (t) => {
  const ports = [await freePort(), await freePort()];
  const held = new HeldSockets(ports, null, true);
  t.after(() => held.close());
  for (const queue of [0, 1]) held.open(queue);
  assert.deepEqual(
    held.of([1]).map(({ queue, port }) => [queue, port]),
    ports.map((port) => [1, port]),
  );
  assert.equal(new Set(held.of([0, 1]).map(({ handle }) => handle.fd)).size, 4);
  assert.deepEqual(ports.flatMap(listenersOf), []);
});

test("binds one socket for all where they share it", onLinux, async (t) => {
  const held = new HeldSockets([await freePort()], null, false);
  t.after(() => held.close());
  for (const queue of [0, 1, 2]) held.open(queue);
  assert.equal(held.of([0, 1, 2]).length, 1);
});

test("takes a lodged socket once, and another one of the same queue beside it", onLinux, async (t) => {
  const port = await freePort();
  const held = new HeldSockets([], null, true);
  t.after(() => held.close());
  const bind = (): TcpHandle => bindHandle("127.0.0.1", port) as TcpHandle;
  const [first, second] = [bind(), bind()];
  const lodge = (queue: number, handle: TcpHandle): boolean => held.lodge({ queue, port, host: "127.0.0.1", handle });
  assert.deepEqual([lodge(0, first), lodge(0, first), lodge(0, second), lodge(1, bind())], [true, false, true, true]);
  assert.deepEqual(
    held.of([0]).map(({ handle }) => handle),
    [first, second],
  );
});

test("says which port it cannot bind, and why", onLinux, async (t) => {
  const port = await freePort();
  const other = net.createServer().listen({ port, exclusive: true });
  t.after(() => other.close());
  await once(other, "listening");
  const held = new HeldSockets([port], null, true);
  t.after(() => held.close());
  // The kernel tells some of these only at listen(): then the worker's listen() fails.
  try {
    held.open(0);
    const [socket] = held.of([0]);
    assert.equal(socket?.handle.listen(1), -98);
  } catch (error) {
    assert.equal((error as { code: string; port: number }).port, port);
  }
});

test("a lock is taken once, shared within its service, foreign to others, and free when its last copy is closed", onLinux, async () => {
  const port = await freePort();
  const first = lockPort(port, "a");
  assert.equal(first.state, "taken");
  assert.equal(lockPort(port, "a").state, "shared");
  assert.equal(lockPort(port, "b").state, "foreign");
  assert.equal(lockPort(port, "b").state, "foreign", "it left no mark behind");
  if (first.state === "taken") for (const handle of first.handles) handle.close();
  const second = lockPort(port, "b");
  assert.equal(second.state, "taken");
  if (second.state === "taken") for (const handle of second.handles) handle.close();
});
