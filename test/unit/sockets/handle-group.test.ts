// A queue that others accept from already: a server that is opened only to see whether the port is free takes no connection of theirs.
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import net, { type AddressInfo, type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { type GroupOptions, HandleGroup } from "../../../src/sockets/handle-group.ts";
import { bindHandle, type ConnectionHandle, handIn, type TcpHandle } from "../../../src/sockets/internals.ts";
import { until } from "../../helpers/until.ts";

const skip = process.platform === "win32" && "SO_REUSEPORT";

function open(
  t: TestContext,
  options: Partial<GroupOptions> = {},
): { readonly server: Server; readonly handle: TcpHandle; readonly group: HandleGroup } {
  const handle = bindHandle("127.0.0.1", 0) as TcpHandle;
  const group = new HandleGroup(options);
  group.add(0, handle, true);
  const server = net.createServer((socket) => socket.end("served"));
  t.after(() => server.close());
  const where = { port: 1 };
  handIn(where, group);
  server.listen(where);
  return { server, handle, group };
}

test("is not accepted from by a server that closes as soon as it listens", { skip }, async (t) => {
  const { server, handle } = open(t);
  assert.equal(server.listening, true);
  await once(server, "listening");
  assert.notEqual(typeof handle.onconnection, "function");
  server.close();
  await once(server, "close");
  assert.notEqual(typeof handle.onconnection, "function");
});

test("keeps another socket of the same queue, and closes a second handle of one that it has", { skip }, (t) => {
  const group = new HandleGroup();
  t.after(() => group.close());
  const bind = (): TcpHandle => bindHandle("127.0.0.1", 0) as TcpHandle;
  const [first, second] = [bind(), bind()];
  group.add(0, first);
  group.add(0, second);
  assert.deepEqual(
    group.sockets.map(({ handle }) => handle),
    [first, second],
  );
  group.add(0, first);
  assert.equal(group.sockets.length, 2);
  group.remove(0);
  assert.deepEqual([group.has(0), group.sockets.length], [false, 0]);
});

test("is accepted from by one that stays", { skip }, async (t) => {
  const { server } = open(t);
  const { port } = server.address() as AddressInfo;
  await once(server, "listening");
  await new Promise((resolve) => setImmediate(resolve));
  const client = net.connect(port, "127.0.0.1");
  const [data] = (await once(client, "data")) as [Buffer];
  assert.equal(String(data), "served");
});

test("has what was diverted served when it comes back, in the context of its listen(), and by its server before that has closed", {
  skip,
}, async (t) => {
  const storage = new AsyncLocalStorage<string>();
  const diverted: ConnectionHandle[] = [];
  const seen: unknown[] = [];
  const give = (): void =>
    storage.run("a stranger's", () => {
      for (const connection of diverted.splice(0)) group.give(connection);
    });
  const { server, group } = open(t, { divert: (connection) => diverted.push(connection) > 0, recall: give });
  server.on("connection", () => seen.push([storage.getStore(), server.listening]));
  const { port } = server.address() as AddressInfo;
  await once(server, "listening");
  await new Promise((resolve) => setImmediate(resolve));
  for (const end of [give, () => void server.close()]) {
    const client = net.connect(port, "127.0.0.1");
    await until("it was accepted", () => diverted.length === 1);
    assert.equal(seen.length, 0);
    end();
    const [data] = (await once(client, "data")) as [Buffer];
    assert.equal(String(data), "served");
    assert.deepEqual(seen.splice(0), [[undefined, true]]);
  }
  await once(server, "close");
});
