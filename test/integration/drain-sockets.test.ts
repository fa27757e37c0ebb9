// The drain of connections that live long: a WebSocket is told 1001 when all else is done, raw TCP lives to its end or the deadline, what is cut is counted.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { ask, connect } from "../helpers/load.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

interface Client {
  readonly socket: WebSocket;
  readonly received: string[];
  /** The code of the close frame; null while it is open. */
  readonly code: () => number | null;
}

async function open(t: TestContext, service: Service): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${service.appPort}/`);
  t.after(() => socket.terminate());
  const received: string[] = [];
  let closed: number | null = null;
  socket.on("message", (data) => received.push(String(data))).on("close", (code) => (closed = code));
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return { socket, received, code: () => closed };
}

async function start(t: TestContext, kind: "ws" | "tcp", flags: readonly string[], env: Record<string, string> = {}): Promise<Service> {
  const service = await startService(t, { app: "drain-sockets.mjs", workers: 1, env: { KIND: kind, ...env }, flags });
  await service.untilReady();
  return service;
}

describe("a drain", { concurrency: 3 }, () => {
  for (const signal of ["SIGHUP", "SIGTERM"] as const) {
    test(`by ${signal} tells WebSockets 1001 after the allowance, long before the deadline, and then runs the hooks`, async (t) => {
      const service = await start(t, "ws", ["--drain-idle", "1s", "--stop-timeout", "60s"]);
      const client = await open(t, service);
      service.signal(signal);
      await until("the worker drains", () => service.output().includes("draining"));
      client.socket.send("still there");
      await until("it still echoes", () => client.received.includes("still there"));
      await until("it is closed", () => client.code() !== null);
      assert.equal(client.code(), 1001);
      await until("the hook has run", () => service.output().includes("hook"));
      assert.ok(service.output().indexOf("app: closed 1001") < service.output().indexOf("hook"), service.output());
      if (signal === "SIGTERM") assert.equal((await service.exited()).code, 0);
      assert.equal(service.hasLogged(/ cut/), false, service.output());
    });
  }

  test("leaves WebSockets alone while a request is in flight", async (t) => {
    const service = await start(t, "ws", ["--drain-idle", "100ms", "--stop-timeout", "60s"]);
    const client = await open(t, service);
    const slow = ask(service.url("/?ms=3000")).then((answer) => ({ answer, code: client.code() }));
    await until("the request is in flight", () => service.output().includes("begun"));
    service.signal("SIGTERM");
    const { answer, code } = await slow;
    assert.equal(answer.body, "slow");
    assert.equal(code, null);
    await until("it is closed", () => client.code() !== null);
    assert.equal(client.code(), 1001);
    assert.equal((await service.exited()).code, 0);
  });

  test("lets the app close its WebSockets with a code of its own", async (t) => {
    const service = await start(t, "ws", ["--drain-idle", "1s", "--stop-timeout", "60s"], { OWN_CLOSE: "1" });
    const client = await open(t, service);
    service.signal("SIGTERM");
    await until("it is closed", () => client.code() !== null);
    assert.equal(client.code(), 4001);
    assert.equal((await service.exited()).code, 0);
  });

  test("ends a WebSocket whose client does not answer, in the middle of large messages as well", async (t) => {
    const service = await start(t, "ws", ["--drain-idle", "100ms", "--stop-timeout", "60s"]);
    const [mute, busy] = [await connect(service.appPort), await open(t, service)];
    const upgrade =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    mute.socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`);
    await until("it is upgraded", () => mute.received().includes("101 Switching Protocols"));
    const message = "x".repeat(1_048_576);
    let echoes = 0;
    busy.socket.on("message", (data) => {
      assert.equal(String(data), message);
      echoes++;
      if (busy.socket.readyState === WebSocket.OPEN) busy.socket.send(message);
    });
    for (let sent = 0; sent < 3; sent++) busy.socket.send(message);
    await until("messages go round", () => echoes > 3);
    service.signal("SIGTERM");
    await until("both are closed", () => busy.code() !== null && mute.isClosed());
    assert.equal(busy.code(), 1001);
    assert.ok(mute.received().endsWith("\x88\x02\x03\xe9"), JSON.stringify(mute.received()));
    assert.equal((await service.exited()).code, 0);
  });

  test("closes idle connections before WebSockets, whose clients would come back on them", async (t) => {
    const service = await start(t, "ws", ["--drain-idle", "100ms", "--stop-timeout", "60s"]);
    const client = await open(t, service);
    const idle = await connect(service.appPort);
    idle.socket.write("GET /?ms=0 HTTP/1.1\r\nHost: app\r\n\r\n");
    await until("it is answered, and stays", () => idle.received().includes("slow"));
    service.signal("SIGHUP");
    await until("both are closed", () => client.code() !== null && idle.isClosed());
    assert.equal(client.code(), 1001);
    await until("the app has heard of it", () => service.output().includes("app: closed 1001"));
    const output = service.output();
    const idleAt = output.indexOf("request's connection closed");
    assert.ok(idleAt !== -1 && idleAt < output.indexOf("app: closed 1001"), output);
  });

  test("lets raw TCP go on to its own end, half-open too", async (t) => {
    const service = await start(t, "tcp", ["--drain-idle", "100ms", "--stop-timeout", "30s"]);
    const client = await connect(service.appPort);
    client.socket.write("one ");
    await until("it echoes", () => client.received() === "one ");
    service.signal("SIGTERM");
    await until("the worker drains", () => service.output().includes("draining"));
    client.socket.write("two ");
    await until("it still echoes", () => client.received() === "one two ");
    client.socket.end();
    await until("it has ended", () => client.isClosed());
    assert.equal(client.received(), "one two bye");
    const exit = await service.exited();
    assert.equal(exit.code, 0);
    assert.equal(service.hasLogged(/ cut/), false);
  });

  test("ends raw TCP in order at the deadline, not before, and counts it", async (t) => {
    const service = await start(t, "tcp", ["--drain-idle", "100ms", "--stop-timeout", "3s"]);
    const client = await connect(service.appPort);
    let error: Error | null = null;
    client.socket.once("error", (reason) => (error = reason));
    client.socket.write("one ");
    await until("it echoes", () => client.received() === "one ");
    service.signal("SIGHUP");
    await until("its hooks have run", () => service.output().includes("hook"));
    client.socket.write("two ");
    await until("it still echoes", () => client.received() === "one two ");
    await until("it is cut", () => client.isClosed());
    assert.equal(error, null, "an end, not a reset");
    await until("the cut is counted", async () => (await service.metric("rollcall_connections_cut_total")) === 1);
    assert.ok(service.hasLogged(/reached its deadline: 0 requests and 1 connection cut/), service.output());
  });
});

test("an app that exits in its TERM listener beside requests: they are counted as cut", async (t) => {
  const service = await startService(t, { app: "app-exits-on-term.mjs", workers: 1, flags: ["--stop-timeout", "2s"] });
  await service.untilReady();
  const answer = ask(service.url("/slow?ms=60000")).then(
    () => "answered",
    () => "cut",
  );
  await until("the request is in flight", () => service.output().includes("begun"));
  service.signal("SIGHUP");
  assert.equal(await answer, "cut");
  await until("the cut is counted", async () => (await service.metric("rollcall_connections_cut_total")) === 1);
  assert.ok(service.hasLogged(/was ended by its app while draining: 1 request and 1 connection cut/), service.output());
});
