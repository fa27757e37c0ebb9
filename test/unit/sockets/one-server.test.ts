// To the app there is one server, however many queues it accepts from.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { handleOf, type TcpHandle } from "../../../src/sockets/internals.ts";
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
import { until } from "../../helpers/until.ts";

const HAS_SS = spawnSync("ss", ["-V"]).error === undefined;
const worker = becomeWorker();
const { order } = worker;

test("accepts from every queue, and counts the connections of all", async (t) => {
  const { port, server } = await serve(t, worker);
  assert.equal(listenersOf(port).length, QUEUES);
  await connect(t, port, CONNECTIONS);
  await until("all are counted", async () => (await connections(server)) === CONNECTIONS);
});

test("listens and answers for its address, and calls back in Node's order", async (t) => {
  const port = await holdPort(t, worker);
  const seen: string[] = [];
  const server = net.createServer();
  t.after(() => void server.close());
  server.on("listening", () => seen.push("event"));
  server.listen(port, () => seen.push("callback"));
  seen.push("returned");
  assert.equal(server.listening, true, "as Node has it, at once");
  await once(server, "listening");
  assert.deepEqual(seen, ["returned", "event", "callback"]);
  assert.deepEqual(server.address(), { address: "::", family: "IPv6", port } satisfies AddressInfo);
});

test("close() refuses on every queue's socket here, and calls back after the last connection of all", async (t) => {
  const { port, server } = await serve(t, worker);
  const sockets = await connect(t, port, CONNECTIONS);
  await until("all are accepted", async () => (await connections(server)) === CONNECTIONS);
  let closed = false;
  server.close(() => (closed = true));
  assert.equal(server.listening, false);
  assert.equal(handleOf(server), null);
  for (const socket of sockets.slice(1)) socket.destroy();
  await until("one connection is left", async () => (await connections(server)) === 1);
  assert.equal(closed, false);
  sockets[0]?.destroy();
  await until("it has closed", () => closed);
});

test("disposes as it closes", async (t) => {
  const { server } = await serve(t, worker);
  await server[Symbol.asyncDispose]();
  assert.equal(server.listening, false);
});

test("maxConnections drops the connection too many, on whatever queue it comes", async (t) => {
  const { port, server } = await serve(t, worker);
  let dropped = 0;
  server.on("drop", () => dropped++);
  server.maxConnections = 10;
  await connect(t, port, CONNECTIONS);
  await until("all others were dropped", () => dropped === CONNECTIONS - 10);
  assert.equal(await connections(server), 10);
});

test("the options of the server hold for every queue: allowHalfOpen, pauseOnConnect", async (t) => {
  const port = await holdPort(t, worker);
  const accepted: Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => void accepted.push(socket));
  t.after(() => void server.close());
  server.listen(port);
  await listening(server);
  await connect(t, port, CONNECTIONS);
  await until("all are accepted", () => accepted.length === CONNECTIONS);
  assert.ok(accepted.every((socket) => socket.allowHalfOpen && socket.isPaused()));
});

for (const [how, listen] of [
  ["the options", (server: Server, port: number) => server.listen({ port, backlog: 17 })],
  ["an argument", (server: Server, port: number) => server.listen(port, "::", 17)],
] as const) {
  test(`takes the backlog of ${how} for every queue`, { skip: !HAS_SS && "needs ss" }, async (t) => {
    const port = await holdPort(t, worker);
    const server = net.createServer();
    t.after(() => void server.close());
    listen(server, port);
    await listening(server);
    assert.deepEqual(backlogs(port), [17, 17, 17]);
  });
}

test("unref() before it listens, after it, and ref() reach every queue", async (t) => {
  const port = await holdPort(t, worker);
  const server = net.createServer();
  t.after(() => void server.close());
  server.unref().listen(port);
  await listening(server);
  const hasRef = (): boolean | undefined => (handleOf(server) as TcpHandle | null)?.hasRef();
  assert.equal(hasRef(), false);
  order("adopt", QUEUES, port, bindQueue(t, port));
  assert.equal(hasRef(), false, "a queue that comes later is like the others");
  server.ref();
  assert.equal(hasRef(), true);
  server.unref();
  assert.equal(hasRef(), false);
});

test("a second server on the port gets EADDRINUSE, with the port in it", async (t) => {
  const { port } = await serve(t, worker);
  const second = net.createServer();
  second.listen(port);
  const [error] = (await once(second, "error")) as [NodeJS.ErrnoException & { port: number }];
  assert.equal(error.code, "EADDRINUSE");
  assert.equal(error.port, port);
});

test("an abort signal closes it", async (t) => {
  const port = await holdPort(t, worker);
  const controller = new AbortController();
  const server = net.createServer();
  t.after(() => void server.close());
  server.listen({ port, signal: controller.signal });
  await listening(server);
  controller.abort();
  await once(server, "close");
  assert.equal(server.listening, false);
});

/** As the kernel has them: the "Send-Q" of a listening socket, which only netlink tells. */
function backlogs(port: number): readonly number[] {
  const lines = execFileSync("ss", ["-Hltn", `sport = :${port}`], { encoding: "utf8" });
  return lines
    .trim()
    .split("\n")
    .map((line) => Number(line.trim().split(/\s+/)[2]));
}
