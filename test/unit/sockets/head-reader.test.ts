// The first bytes of a connection, within bounds of bytes, time and number; and the connection given back whole. Real sockets; the timers are the test's.
import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { HeadReader } from "../../../src/sockets/head-reader.ts";
import { acceptFrom, bindHandle, type ConnectionHandle } from "../../../src/sockets/internals.ts";
import { Room } from "../../../src/sockets/room.ts";
import { until } from "../../helpers/until.ts";

const LIMITS = { begunMs: 10, silentMs: 60, most: 3 };

interface Scene {
  /** What came of each connection, in the order of the ends. */
  readonly texts: (string | null)[];
  readonly handles: ConnectionHandle[];
  readonly reader: HeadReader;
  connect(): Promise<Socket>;
  /** Lets the time of all timers of this length run out. */
  elapse(ms: number): void;
  /** How many timers of this length run. */
  running(ms: number): number;
}

function setScene(t: TestContext, most = 100): Scene {
  const texts: (string | null)[] = [];
  const handles: ConnectionHandle[] = [];
  const timers = new Set<{ readonly ms: number; readonly callback: () => void }>();
  const startTimer = (ms: number, callback: () => void): (() => void) => {
    const timer = { ms, callback };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const reader = new HeadReader({ startTimer }, new Room(most), LIMITS);
  const listener = bindHandle("127.0.0.1", 0);
  assert.ok(typeof listener !== "number");
  const read = (handle: ConnectionHandle): void => reader.read(handle, (text) => texts.push(text) && handles.push(handle));
  assert.equal(acceptFrom(listener, read), 0);
  const name: Partial<AddressInfo> = {};
  listener.getsockname(name);
  t.after(() => {
    reader.finish();
    listener.close();
    for (const [index, handle] of handles.entries()) if (texts[index] !== null) handle.close();
  });
  return {
    ...{ texts, handles, reader },
    connect: async () => {
      const before = timers.size;
      const socket = net.connect(name.port ?? 0, "127.0.0.1");
      t.after(() => socket.destroy());
      await once(socket, "connect");
      await until("it is being read", () => timers.size > before || texts.length > 0);
      return socket;
    },
    elapse: (ms) => {
      for (const timer of [...timers]) if (timer.ms === ms && timers.delete(timer)) timer.callback();
    },
    running: (ms) => [...timers].filter((timer) => timer.ms === ms).length,
  };
}

test("gives the head back as soon as it is whole, and the handle reads no more", async (t) => {
  const { connect, texts, running } = setScene(t);
  const socket = await connect();
  socket.write("GET / HTTP/1.1\r\n");
  await until("it was begun", () => running(LIMITS.begunMs) === 1);
  assert.deepEqual(texts, []);
  socket.write("\r\n\xff", "latin1");
  await until("it is given back", () => texts.length === 1);
  assert.deepEqual(texts, ["GET / HTTP/1.1\r\n\r\n\xff"]);
  socket.write("more");
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([texts.length, running(LIMITS.begunMs), running(LIMITS.silentMs)], [1, 0, 0]);
});

test("gives a head back that was begun and takes too long", async (t) => {
  const { connect, texts, running, elapse } = setScene(t);
  const socket = await connect();
  socket.write("GET /");
  await until("it was begun", () => running(LIMITS.begunMs) === 1);
  elapse(LIMITS.silentMs);
  assert.deepEqual(texts, [], "that one was for the first byte");
  elapse(LIMITS.begunMs);
  assert.deepEqual(texts, ["GET /"]);
});

test("closes a connection that stays silent", async (t) => {
  const { connect, texts, elapse } = setScene(t);
  const socket = await connect();
  elapse(LIMITS.silentMs);
  assert.deepEqual(texts, [null]);
  await once(socket.resume(), "close");
});

test("closes the one that has taken longest when there are too many", async (t) => {
  const { connect, texts } = setScene(t);
  const first = await connect();
  for (let more = 0; more < LIMITS.most - 1; more++) await connect();
  assert.deepEqual(texts, []);
  const closed = once(first.resume(), "close");
  await connect();
  await closed;
  assert.deepEqual(texts, [null]);
});

test("shares the room of all that waits", async (t) => {
  const { connect, texts, reader } = setScene(t, 2);
  const first = await connect();
  const closed = once(first.resume(), "close");
  await connect();
  assert.equal(reader.dropped, 0);
  await connect();
  await closed;
  assert.deepEqual([texts, reader.dropped], [[null], 1]);
});

test("closes one that there is no room for at all", async (t) => {
  const { connect, texts } = setScene(t, 0);
  await once((await connect()).resume(), "close");
  assert.deepEqual(texts, [null]);
});

test("gives back what a half-closed client has sent, and nothing of one that has sent nothing", async (t) => {
  const { connect, texts } = setScene(t);
  (await connect()).end("GET /");
  await until("the first one is given back", () => texts.length === 1);
  (await connect()).end();
  await until("the second one has ended", () => texts.length === 2);
  assert.deepEqual(texts, ["GET /", null]);
});

test("ends with a client that goes", async (t) => {
  const { connect, texts, running } = setScene(t);
  (await connect()).resetAndDestroy();
  await until("it has ended", () => texts.length === 1);
  assert.deepEqual([...texts, running(LIMITS.silentMs)], [null, 0]);
});

test("gives all back at the end, the silent ones too", async (t) => {
  const { connect, texts, reader, running } = setScene(t);
  await connect();
  (await connect()).write("GET /");
  await until("it was begun", () => running(LIMITS.begunMs) === 1);
  reader.finish();
  assert.deepEqual(texts, ["", "GET /"]);
});
