// socket.io's own client on a sticky service: polling, the upgrade to a WebSocket, a WebSocket at once; through reloads there is no session error, and whoever has to
// connect anew does so because the worker said so.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import type { Service } from "../helpers/service.ts";
import { startSticky } from "../helpers/sticky.ts";
import { addressOf, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const WORKERS = 3;
const RELOADS = 10;

interface Client {
  readonly socket: Socket;
  /** Where it has been, connection by connection. */
  readonly served: { readonly slot: number; readonly pid: number }[];
  /** Why it lost its connection, each time. */
  readonly reasons: string[];
  readonly errors: string[];
  transport(): string | undefined;
}

/** As from behind a proxy. */
function startClient(t: TestContext, service: Service, index: number, options: Partial<ManagerOptions & SocketOptions> = {}): Client {
  const socket = io(`http://127.0.0.1:${service.appPort}`, {
    extraHeaders: { "X-Forwarded-For": addressOf(index) },
    forceNew: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
    ...options,
  });
  t.after(() => socket.disconnect());
  const client: Client = { socket, served: [], reasons: [], errors: [], transport: () => socket.io.engine?.transport.name };
  socket.on("slot", (slot: number, pid: number) => client.served.push({ slot, pid }));
  socket.on("disconnect", (reason) => client.reasons.push(reason));
  socket.on("connect_error", (error) => client.errors.push(error.message));
  return client;
}

const echo = (client: Client, words: string): Promise<unknown> => client.socket.timeout(20_000).emitWithAck("echo", words);

async function start(t: TestContext, env: Record<string, string> = {}): Promise<Service> {
  const flags = ["--sticky-trust", "1", "--stop-timeout", "60s"];
  const service = await startSticky(t, { app: "socket-io.mjs", workers: WORKERS, flags, env });
  await untilWhole(service, 1, WORKERS);
  return service;
}

/** Everybody is connected to a worker that is not one of those. */
async function untilConnected(clients: readonly Client[], except: readonly number[] = []): Promise<void> {
  await until("every client is connected", () =>
    clients.every(({ socket, served }) => socket.connected && !except.includes(served.at(-1)?.pid ?? except[0] ?? 0)),
  );
}

describe("socket.io", { concurrency: 2 }, () => {
  test("polls, and upgrades; each client has a slot of its own", async (t) => {
    const service = await start(t);
    const clients = Array.from({ length: 12 }, (_, index) => startClient(t, service, index));
    await untilConnected(clients);
    await until("all have upgraded", () => clients.every((client) => client.transport() === "websocket"));
    for (const [index, client] of clients.entries()) assert.equal(await echo(client, `words ${index}`), `words ${index}`);
    assert.equal(new Set(clients.map(({ served }) => served[0]?.slot)).size, WORKERS);
    assert.deepEqual(
      clients.flatMap(({ errors }) => errors),
      [],
    );
    assert.equal(service.output().includes("session error"), false, service.output());
  });

  for (const [name, options] of [
    ["by polling alone", { transports: ["polling"] }],
    ["by WebSocket at once", { transports: ["websocket"] }],
  ] as const) {
    test(`${name}: many requests, one session`, async (t) => {
      const service = await start(t);
      const clients = Array.from({ length: 6 }, (_, index) => startClient(t, service, index, { transports: [...options.transports] }));
      await untilConnected(clients);
      for (let turn = 0; turn < 20; turn++) {
        for (const answer of await Promise.all(clients.map((client) => echo(client, `${turn}`)))) assert.equal(answer, `${turn}`);
      }
      assert.deepEqual(
        clients.flatMap(({ errors, reasons }) => [...errors, ...reasons]),
        [],
      );
      assert.equal(service.output().includes("session error"), false, service.output());
    });
  }

  test(`${RELOADS} reloads: no session error, every reconnection is one that the worker asked for, every client keeps its slot`, async (t) => {
    const service = await start(t);
    const clients = Array.from({ length: 9 }, (_, index) => startClient(t, service, index));
    await untilConnected(clients);
    await until("all have upgraded", () => clients.every((client) => client.transport() === "websocket"));
    for (let reload = 1; reload <= RELOADS; reload++) {
      const before = clients.map(({ served }) => served.at(-1)?.pid as number);
      service.signal("SIGHUP");
      await untilWhole(service, reload + 1, WORKERS);
      await untilConnected(clients, before);
      await until("all have upgraded again", () => clients.every((client) => client.transport() === "websocket"));
      for (const client of clients) assert.equal(await echo(client, `reload ${reload}`), `reload ${reload}`);
    }
    assert.equal(service.output().includes("session error"), false, service.output());
    for (const { served, reasons, errors } of clients) {
      assert.equal(new Set(served.map(({ slot }) => slot)).size, 1, "its slot");
      assert.deepEqual([errors, reasons], [[], Array.from({ length: RELOADS }, () => "transport close")]);
    }
  });

  test("with its cluster adapter: what is said at one worker reaches the clients of all, after a reload as well", async (t) => {
    const service = await start(t, { ADAPTER: "cluster" });
    const clients = Array.from({ length: 9 }, (_, index) => startClient(t, service, index));
    await untilConnected(clients);
    assert.equal(new Set(clients.map(({ served }) => served[0]?.slot)).size, WORKERS);
    const heard: unknown[][] = clients.map(() => []);
    for (const [index, { socket }] of clients.entries()) socket.on("said", (words: unknown) => heard[index]?.push(words));
    // A worker knows of another one when that has said that it is there.
    await until("every worker counts all clients", async () => {
      const counts = await Promise.all(clients.map(({ socket }) => socket.timeout(20_000).emitWithAck("count")));
      return counts.every((count) => count === clients.length);
    });
    assert.match(service.output(), /^heard an answer$/m);
    assert.doesNotMatch(service.output(), /heard another one's answer/, "they go to the one that asked alone");
    const binary = Buffer.from([0, 255, 128, 10]);
    clients[0]?.socket.emit("all", { words: "to all", binary });
    await until("everybody has heard it", () => heard.every((each) => each.length === 1));
    for (const each of heard) assert.deepEqual(each, [{ words: "to all", binary }]);
    const before = clients.map(({ served }) => served.at(-1)?.pid as number);
    service.signal("SIGHUP");
    await untilWhole(service, 2, WORKERS);
    await untilConnected(clients, before);
    await until("what one says reaches everybody", () => {
      clients[0]?.socket.emit("all", "again");
      return heard.every((each) => each.includes("again"));
    });
    assert.equal(service.output().includes("session error"), false, service.output());
  });
});
