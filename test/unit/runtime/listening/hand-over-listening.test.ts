// What a worker does with a connection that it is handed: says what it does before it does it, and gives the server every byte. The channel is the test's.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import type { Assignment, ChildToMaster, HandOverOrder } from "../../../../src/messenger/wire.ts";
import type { Channel } from "../../../../src/runtime/border/channel.ts";
import { HandOverListening } from "../../../../src/runtime/listening/hand-over-listening.ts";
import { sharedNow } from "../../../../src/sockets/clock.ts";
import { acceptFrom, bindHandle, type ConnectionHandle, type TcpHandle } from "../../../../src/sockets/internals.ts";
import { freePort } from "../../../helpers/ports.ts";
import { until } from "../../../helpers/until.ts";

const said: { readonly message: ChildToMaster; readonly handle: TcpHandle | undefined }[] = [];
let take: (order: HandOverOrder, handle: ConnectionHandle | undefined) => void = () => {};
const send = (message: ChildToMaster, done?: () => void, handle?: TcpHandle): void => {
  said.push({ message, handle });
  done?.();
};
const channel = { send, sendNow: send, onListen: (listener: typeof take) => (take = listener) };
const DECLARED = await freePort();
const assignment = { slot: 3, ports: [DECLARED], service: `test-${process.pid}`, handOver: { host: null } };
const listening = new HandOverListening(assignment as unknown as Assignment, channel as unknown as Channel);

/** A connection as the master has it, and its client. */
async function accept(t: TestContext): Promise<{ readonly handle: ConnectionHandle; readonly client: Socket }> {
  const listener = bindHandle("127.0.0.1", 0);
  assert.ok(typeof listener !== "number");
  t.after(() => listener.close());
  const accepted = new Promise<ConnectionHandle>((resolve) => assert.equal(acceptFrom(listener, resolve), 0));
  const name: Partial<AddressInfo> = {};
  listener.getsockname(name);
  const client = net.connect(name.port ?? 0, "127.0.0.1");
  t.after(() => client.destroy());
  client.on("error", () => {});
  return { handle: await accepted, client };
}

async function listen(t: TestContext, server: Server, port: number): Promise<void> {
  t.after(() => void server.close());
  server.listen(port);
  await once(server, "listening");
}

const order = (more: Partial<HandOverOrder>): HandOverOrder => ({
  ...{ type: "take", isOwn: false, id: 7, port: DECLARED, host: null, head: "", expiresAt: sharedNow() + 1_000_000 },
  ...more,
});
const lastSaid = (): ChildToMaster | undefined => said.at(-1)?.message;
const closes = (client: Socket): Promise<unknown> => once(client.resume(), "close");

test("listens on a declared port without a socket, and tells the master", async (t) => {
  const server = net.createServer();
  await listen(t, server, DECLARED);
  assert.deepEqual(lastSaid(), { type: "opened", port: DECLARED, host: null });
  assert.equal((server.address() as AddressInfo).port, DECLARED);
  const second = net.createServer();
  second.listen(DECLARED);
  const [error] = (await once(second, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "EADDRINUSE");
  server.close();
  assert.deepEqual(lastSaid(), { type: "shut", port: DECLARED, host: null });
});

test("binds a port that nobody declared, and lodges it with the lock", async (t) => {
  const port = await freePort();
  const before = said.length;
  await listen(t, net.createServer(), port);
  assert.deepEqual(
    said.slice(before).map(({ message, handle }) => [message.type, handle !== undefined]),
    [["lodged", true], ...said.slice(before + 1).map(() => ["locked", true])],
  );
});

test("takes a connection with what was read of it, answered before it begins", async (t) => {
  const seen: unknown[] = [];
  const server = http.createServer((request, response) => {
    seen.push(lastSaid());
    response.end(request.url);
  });
  await listen(t, server, DECLARED);
  const { handle, client } = await accept(t);
  let received = "";
  client.on("data", (chunk: Buffer) => (received += chunk.toString()));
  const text = "GET /first HTTP/1.1\r\nHost: app\r\n\r\nGET /sec";
  take(order({ id: 9, head: Buffer.from(text).toString("base64") }), handle);
  client.write("ond HTTP/1.1\r\nHost: app\r\n\r\n");
  await until("both are answered", () => received.includes("/first") && received.includes("/second"));
  assert.deepEqual(seen[0], { type: "answered", id: 9, answer: "taken" });
  assert.equal(server.listenerCount("connection"), 1, "http's own");
});

test("does not begin with one that it hears of too late", async (t) => {
  let connections = 0;
  await listen(
    t,
    net.createServer(() => connections++),
    DECLARED,
  );
  const { handle, client } = await accept(t);
  take(order({ expiresAt: sharedNow() - 1 }), handle);
  assert.deepEqual(lastSaid(), { type: "answered", id: 7, answer: "late" });
  await closes(client);
  assert.equal(connections, 0);
});

test("refuses one where the app does not listen, or no longer", async (t) => {
  const server = net.createServer();
  await listen(t, server, DECLARED);
  for (const wanted of [order({ port: DECLARED + 1 }), order({ host: "127.0.0.1" }), order({})]) {
    if (wanted.port === DECLARED && wanted.host === null) server.close();
    const { handle, client } = await accept(t);
    take(wanted, handle);
    assert.deepEqual(lastSaid(), { type: "answered", id: 7, answer: "refused" });
    await closes(client);
  }
});

test("says nothing of a connection that did not come along", () => {
  const before = said.length;
  take(order({}), undefined);
  assert.equal(said.length, before);
});

test("tells nobody of what is opened while it drains", async (t) => {
  listening.end();
  const before = said.length;
  await listen(t, net.createServer(), await freePort());
  assert.equal(said.length, before);
});
