// Which queues a server gets, keeps and gives back: adopted, released, bound by itself, of its own address only, and once more after close().
import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { test } from "node:test";
import { closeListener } from "../../../src/runtime/traffic/listener.ts";
import { lockPort } from "../../../src/sockets/lock.ts";
import {
  becomeWorker,
  bindQueue,
  CONNECTIONS,
  connect,
  connections,
  holdPort,
  listening,
  QUEUES,
  serve,
} from "../../helpers/held-server.ts";
import { listenersOf } from "../../helpers/listeners.ts";
import { accepts } from "../../helpers/load.ts";
import { freePort } from "../../helpers/ports.ts";
import { until } from "../../helpers/until.ts";

const worker = becomeWorker();
const { order, said } = worker;

test("adopts a queue while it listens, and releases one", async (t) => {
  const { port, server } = await serve(t, worker);
  const handle = bindQueue(t, port);
  order("adopt", QUEUES, port, handle);
  assert.equal(listenersOf(port).length, QUEUES + 1);
  await connect(t, port, CONNECTIONS);
  await until("all are accepted", async () => (await connections(server)) === CONNECTIONS);
  for (let queue = 1; queue <= QUEUES; queue++) order("release", queue, port);
  await until("one queue is left", () => listenersOf(port).length === 1);
  await connect(t, port, 5);
  await until("it accepts them", async () => (await connections(server)) === CONNECTIONS + 5);
  // Even the queue that the server was opened with may go, and another come.
  order("release", 0, port);
  await until("no queue is left", () => listenersOf(port).length === 0);
  assert.equal(server.listening, true);
  assert.equal((server.address() as AddressInfo).port, port);
  order("adopt", 1, port, bindQueue(t, port));
  assert.ok(await accepts(port));
});

test("a server that drains takes no queue more", async (t) => {
  const { port, server } = await serve(t, worker);
  closeListener(server);
  await until("it listens on nothing", () => listenersOf(port).length === 0);
  assert.equal(server.listening, true, "to the app");
  order("adopt", QUEUES, port, bindQueue(t, port));
  assert.deepEqual(listenersOf(port), []);
});

test("a port that another service has: EADDRINUSE, with the address in it, and no lock of ours", async (t) => {
  const port = await freePort();
  const lock = lockPort(port, "another");
  t.after(() => {
    if (lock.state === "taken") for (const handle of lock.handles) handle.close();
  });
  const server = net.createServer();
  server.listen(port);
  const [error] = (await once(server, "error")) as [NodeJS.ErrnoException & { port: number }];
  assert.deepEqual([error.code, error.port, error.message], ["EADDRINUSE", port, `listen EADDRINUSE: address already in use :::${port}`]);
  assert.equal(server.listening, false);
  assert.deepEqual(listenersOf(port), []);
});

test("undeclared: binds a socket of its own, and lodges it with the port's lock", async (t) => {
  const port = await freePort();
  const before = said.length;
  const server = net.createServer();
  t.after(() => void server.close());
  server.listen(port);
  await listening(server);
  assert.deepEqual(
    said.slice(before).map(({ message, handle }) => [message.type, handle !== undefined]),
    [
      ["lodged", true],
      ["locked", true],
      ["locked", true],
      ["locked", true],
    ],
  );
  assert.ok(await accepts(port));
});

test("takes options that are frozen, and leaves others as they were", async (t) => {
  const [frozen, used] = [Object.freeze({ port: await holdPort(t, worker) }), { port: await holdPort(t, worker) }];
  for (const options of [frozen, used]) {
    const server = net.createServer();
    t.after(() => void server.close());
    server.listen(options);
    await listening(server);
    assert.ok(await accepts(options.port));
  }
  assert.deepEqual(Reflect.ownKeys(used), ["port"]);
});

test("closed and opened again, it asks the master for its queues and has them all", async (t) => {
  const { port, server } = await serve(t, worker);
  server.close();
  await once(server, "close");
  const before = said.length;
  server.listen(port);
  await listening(server);
  assert.equal(server.listening, true);
  assert.equal((server.address() as AddressInfo).port, port);
  assert.deepEqual(
    said.slice(before).map(({ message }) => message),
    [{ type: "reopened", port, host: null }],
    "no socket of its own, which nobody else would hold",
  );
  for (let queue = 0; queue < QUEUES; queue++) order("adopt", queue, port, bindQueue(t, port));
  await connect(t, port, CONNECTIONS);
  await until("all are accepted", async () => (await connections(server)) === CONNECTIONS);
});

test("closed and opened again twice: the end of the first answer is not taken for that of the second", async (t) => {
  const { port, server } = await serve(t, worker);
  for (let times = 0; times < 2; times++) {
    server.close();
    await once(server, "close");
    server.listen(port);
    await listening(server);
  }
  const before = said.length;
  worker.tell("offered", port);
  assert.deepEqual(said.slice(before), [], "a socket of its own would stand in the way of the one that is to come");
  for (let queue = 0; queue < QUEUES; queue++) order("adopt", queue, port, bindQueue(t, port));
  worker.tell("offered", port);
  await connect(t, port, CONNECTIONS);
  await until("all are accepted", async () => (await connections(server)) === CONNECTIONS);
});

test("says when it listens with what it has, and when no longer", async (t) => {
  const port = await holdPort(t, worker);
  const before = said.length;
  const server = net.createServer();
  server.listen(port);
  await listening(server);
  server.close();
  await once(server, "close");
  assert.deepEqual(
    said.slice(before).map(({ message }) => message),
    [
      { type: "opened", port, host: null },
      { type: "shut", port, host: null },
    ],
  );
});

test("opened again where the master has given the port up: binds a socket of its own, as at first", async (t) => {
  const port = await freePort();
  const server = net.createServer();
  t.after(() => void server.close());
  server.listen(port);
  await listening(server);
  server.close();
  await once(server, "close");
  assert.deepEqual(listenersOf(port), []);
  server.listen(port);
  await listening(server);
  assert.deepEqual(listenersOf(port), [], "not before the master has told what there is");
  const before = said.length;
  worker.tell("offered", port);
  assert.equal(listenersOf(port).length, 1);
  assert.deepEqual(
    said.slice(before).flatMap(({ message }) => (message.type === "locked" ? [] : [message])),
    [{ type: "lodged", queue: 0, port, host: null }],
  );
  worker.tell("offered", port);
  assert.equal(listenersOf(port).length, 1, "one is enough");
  await connect(t, port, 5);
  await until("it accepts them", async () => (await connections(server)) === 5);
});

test("opened again where somebody else has the port by now: an error with the address in it, as from listen()", async (t) => {
  const port = await freePort();
  const server = net.createServer();
  server.listen(port);
  await listening(server);
  server.close();
  await once(server, "close");
  const other = net.createServer().listen({ port, exclusive: true });
  t.after(() => other.close());
  await once(other, "listening");
  server.listen(port);
  await listening(server);
  const failed = once(server, "error");
  worker.tell("offered", port);
  const [error] = (await failed) as [NodeJS.ErrnoException & { port: number }];
  assert.deepEqual([error.code, error.port, error.message], ["EADDRINUSE", port, `listen EADDRINUSE: address already in use :::${port}`]);
  assert.equal(server.listening, false);
});

test("the master gives a port up: copies that wait for a server go; a server that has come meanwhile keeps its queues and lodges them", async (t) => {
  const [port, other] = [await freePort(), await freePort()];
  const [waiting, kept] = [bindQueue(t, port), bindQueue(t, other)];
  for (const handle of [waiting, kept]) handle.listen(1);
  order("adopt", 0, port, waiting);
  order("adopt", 0, other, kept);
  worker.tell("forget", port);
  assert.deepEqual([listenersOf(port).length, listenersOf(other).length], [0, 1]);

  const { port: open, server } = await serve(t, worker);
  const before = said.length;
  worker.tell("forget", open);
  assert.deepEqual(
    said.slice(before).map(({ message, handle }) => [message, handle !== undefined]),
    [
      ...Array.from({ length: QUEUES }, (_, queue) => [{ type: "lodged", queue, port: open, host: null }, true]),
      ...Array.from({ length: 3 }, () => [{ type: "locked", port: open }, true]),
    ],
  );
  await connect(t, open, CONNECTIONS);
  await until("all are accepted", async () => (await connections(server)) === CONNECTIONS);
});

test("closed in the moment that it listens, it leaves nothing behind, and another server can have the port", async (t) => {
  const port = await holdPort(t, worker);
  const first = net.createServer();
  first.listen(port);
  first.close();
  const second = net.createServer();
  t.after(() => void second.close());
  second.listen(port);
  await listening(second);
  for (let queue = 0; queue < QUEUES; queue++) order("adopt", queue, port, bindQueue(t, port));
  await connect(t, port, CONNECTIONS);
  await until("all are accepted by the second", async () => (await connections(second)) === CONNECTIONS);
  assert.equal(first.listening, false);
});

test("never takes a queue of another address", async (t) => {
  const port = await freePort();
  order("adopt", 0, port, bindQueue(t, port, "127.0.0.1"), "127.0.0.1");
  order("adopt", 0, port, bindQueue(t, port));
  const server = net.createServer();
  t.after(() => void server.close());
  server.listen(port, "127.0.0.1");
  await listening(server);
  order("adopt", 1, port, bindQueue(t, port));
  assert.deepEqual(
    listenersOf(port).map(({ family }) => family),
    [4],
  );
});

test("servers on two addresses of one port have each their own, and a third one on all addresses is refused", async (t) => {
  const port = await freePort();
  const before = said.length;
  for (const host of ["127.0.0.1", "127.0.0.2"]) {
    const server = net.createServer();
    t.after(() => void server.close());
    server.listen(port, host);
    await listening(server);
  }
  assert.deepEqual(
    said.slice(before).flatMap(({ message }) => (message.type === "lodged" ? [message.host] : [])),
    ["127.0.0.1", "127.0.0.2"],
  );
  const third = net.createServer();
  third.listen(port);
  const [error] = (await once(third, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "EADDRINUSE");
  assert.equal(listenersOf(port).length, 2);
});

test("an app that names no host listens where the master was told to", async (t) => {
  const port = await freePort();
  order("adopt", 0, port, bindQueue(t, port, "127.0.0.1"), "127.0.0.1");
  const server = net.createServer();
  t.after(() => void server.close());
  server.listen(port);
  await listening(server);
  assert.equal((server.address() as AddressInfo).address, "127.0.0.1");
});
