// Sticky behind proxies: the master reads the first head of a connection, however it comes in, and the worker gets the connection with every byte of it.
import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import { text as streamText } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { slotOf } from "../../src/policy/rendezvous.ts";
import { certificate, HAS_OPENSSL } from "../helpers/certificate.ts";
import { hasHaproxy, startProxy } from "../helpers/haproxy.ts";
import { connectionsOf, unreadOn } from "../helpers/listeners.ts";
import { ask, connect, type RawConnection } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import { runRollcall, type Service } from "../helpers/service.ts";
import { behindProxy, type Served, servedTo, servedToAll, startSticky } from "../helpers/sticky.ts";
import { addressOf, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const SLOTS = [0, 1, 2];

async function start(t: TestContext, flags: readonly string[] = []): Promise<Service> {
  const service = await startSticky(t, { workers: SLOTS.length, flags: ["--sticky-trust", "1", ...flags] });
  await untilWhole(service, 1, SLOTS.length);
  return service;
}

const from = (client: string): readonly string[] => ["Host: app", `X-Forwarded-For: 203.0.113.1, ${client}`];
const request = (client: string, first = "GET / HTTP/1.1", more: readonly string[] = []): string =>
  [first, ...from(client), ...more, "", ""].join("\r\n");

/** The answers that have come on a connection. */
function answers({ received }: RawConnection): readonly Served[] {
  return [...received().matchAll(/\{"slot".*?\}/g)].map(([json]) => JSON.parse(json) as Served);
}

async function answersTo(connection: RawConnection, count: number): Promise<readonly Served[]> {
  await until(`${count} answers have come`, () => answers(connection).length >= count);
  return answers(connection);
}

/** One whose slot is neither that of the other one nor that of the proxy. */
function clientIn(slot: number): string {
  for (let index = 1; index < 250; index++) if (slotOf(`192.0.2.${index}`, SLOTS) === slot) return `192.0.2.${index}`;
  throw new Error(`no client of slot ${slot}`);
}

describe("behind a proxy", { concurrency: 2, skip: process.platform !== "linux" && "needs /proc" }, () => {
  test("the hop of the trusted one decides, whatever the client claims; without the line it is the address", async (t) => {
    const service = await start(t);
    for (const slot of SLOTS) {
      const client = clientIn(slot);
      for (const line of [client, `10.9.8.7, ${client}`, `${client}:4711`, `a, b, c,d,${client} `]) {
        assert.equal((await servedTo(service, { localAddress: "127.0.0.1", headers: { "x-forwarded-for": line } })).slot, slot, line);
      }
    }
    const { slot } = await servedTo(service, { localAddress: "127.0.0.9" });
    assert.equal(slot, slotOf("127.0.0.9", SLOTS));
  });

  test("the second hop from the right, where two are trusted", async (t) => {
    const service = await start(t, ["--sticky-trust", "2"]);
    for (const slot of SLOTS) {
      const headers = { "x-forwarded-for": `203.0.113.1, ${clientIn(slot)}, ${clientIn((slot + 1) % 3)}` };
      assert.equal((await servedTo(service, { localAddress: "127.0.0.1", headers })).slot, slot);
    }
  });

  test("a head in pieces arrives whole, and so do the body and the requests behind it", async (t) => {
    const service = await start(t);
    const client = clientIn(2);
    const connection = await connect(service.appPort);
    const text = `\r\n${request(client, "POST /a HTTP/1.1", ["Content-Length: 5"])}12345${request(clientIn(0), "GET /b HTTP/1.1")}`;
    const end = text.indexOf("12345") + 3;
    connection.socket.setNoDelay(true);
    for (const piece of [text.slice(0, 1), text.slice(1, 30), text.slice(30, end), text.slice(end)]) {
      await new Promise((resolve) => connection.socket.write(piece, resolve));
      await until("the service has read it", () => unreadOn(service.appPort) === 0);
    }
    const [first, second] = await answersTo(connection, 2);
    assert.deepEqual([first?.slot, first?.bytes, second?.slot, second?.bytes], [2, 5, 2, 0], "one connection, one worker");
    connection.socket.write(request(clientIn(1)));
    assert.equal((await answersTo(connection, 3))[2]?.pid, first?.pid, "whoever is behind it later");
  });

  test("a WebSocket, and what is said on it", async (t) => {
    const service = await start(t);
    for (const slot of SLOTS) {
      const socket = new WebSocket(`ws://127.0.0.1:${service.appPort}/`, { headers: { "X-Forwarded-For": clientIn(slot) } });
      t.after(() => socket.terminate());
      const heard: string[] = [];
      socket.on("message", (data) => heard.push(String(data)));
      socket.on("open", () => socket.send("said"));
      await until("it echoes", () => heard.length === 2);
      assert.deepEqual(heard, [String(slot), "said"]);
    }
  });

  test("a head that is too long is the worker's to refuse", async (t) => {
    const service = await start(t);
    const answer = await ask(service.url("/"), false, { headers: { "X-Forwarded-For": clientIn(1), Cookie: "a".repeat(20_000) } });
    assert.equal(answer.status, 431);
  });

  test("a client that has closed its side is answered", async (t) => {
    const service = await start(t);
    const connection = await connect(service.appPort);
    connection.socket.end(request(clientIn(1), "GET / HTTP/1.1", ["Connection: close"]));
    assert.equal((await answersTo(connection, 1))[0]?.slot, 1);
    const cut = await connect(service.appPort);
    cut.socket.end("GET / HTTP/1.1\r\nHost:");
    await until("the other one has ended", () => cut.isClosed());
  });

  test("silent and slow clients keep nobody waiting, and are gone when they go", async (t) => {
    const service = await start(t);
    const slow = await Promise.all(Array.from({ length: 300 }, () => connect(service.appPort)));
    for (const [index, { socket }] of slow.entries()) if (index % 2 === 0) socket.write("GET / HTTP/1.1\r\nX-Forw");
    await servedToAll(service, behindProxy, 100);
    for (const { socket } of slow) socket.destroy();
    await until("the master has let go of them", () => connectionsOf(service.pid, service.appPort) === 0);
    await servedToAll(service, behindProxy, 10);
  });

  test("a head that takes too long goes on at its worker", async (t) => {
    const service = await start(t);
    const connection = await connect(service.appPort);
    connection.socket.write(`GET / HTTP/1.1\r\n${from(clientIn(1)).join("\r\n")}\r\nX-`);
    await until("the master has it", () => connectionsOf(service.pid, service.appPort) === 1);
    const pids = await service.workerPids();
    await until("a worker has it", () => connectionsOf(pids[1] as number, service.appPort) === 1, 60_000);
    connection.socket.write("End: 1\r\n\r\n");
    assert.equal((await answersTo(connection, 1))[0]?.slot, 1);
  });

  test("a client that has said nothing yet when its worker is replaced is its successor's", async (t) => {
    const service = await start(t);
    const connection = await connect(service.appPort);
    await until("the master has it", () => connectionsOf(service.pid, service.appPort) === 1);
    const before = await service.workerPids();
    service.signal("SIGHUP");
    await untilWhole(service, 2, SLOTS.length);
    connection.socket.write(request(clientIn(1)));
    const [answer] = await answersTo(connection, 1);
    assert.equal(answer?.slot, 1);
    assert.equal(before.includes(answer?.pid as number), false);
  });

  test("a head that is half read when the service stops is answered within the allowance", async (t) => {
    const service = await start(t, ["--drain-idle", "30s", "--stop-timeout", "60s"]);
    const connection = await connect(service.appPort);
    connection.socket.write("GET / HTTP/1.1\r\n");
    await until("the master has it", () => connectionsOf(service.pid, service.appPort) === 1);
    service.signal("SIGTERM");
    await until("the master has it no longer", () => connectionsOf(service.pid, service.appPort) === 0);
    connection.socket.write(`${from(clientIn(1)).join("\r\n")}\r\n\r\n`);
    await answersTo(connection, 1);
    assert.equal((await service.exited()).code, 0, service.output());
  });

  test("TLS is told apart by address, and the log says so once", { skip: !HAS_OPENSSL && "needs openssl" }, async (t) => {
    const port = await freePort();
    const env = { ...certificate(t), KINDS: JSON.stringify({ https: port }) };
    const flags = ["--sticky-trust", "1", "--port", String(port)];
    const service = await startSticky(t, { app: "listen-kinds.mjs", workers: SLOTS.length, declared: false, flags, env });
    await untilWhole(service, 1, SLOTS.length);
    for (let index = 0; index < 10; index++) {
      const localAddress = addressOf(index);
      const options = { port, host: "127.0.0.1", localAddress, agent: false as const, rejectUnauthorized: false };
      const slot = await new Promise<string>((resolve, reject) => {
        const asking = https.get({ ...options, headers: { "X-Forwarded-For": clientIn(index % 3) } });
        asking.on("response", (response) => void streamText(response).then(resolve, reject)).on("error", reject);
      });
      assert.equal(Number(slot), slotOf(localAddress, SLOTS));
    }
    const said = service.log().filter(({ msg }) => /TLS, which sticky-trust cannot read/.test(msg));
    assert.equal(said.length, 1);
  });

  for (const [what, line] of [
    ["that shares no connection between clients", "http-reuse never"],
    ["that closes its connections", "option httpclose"],
  ] as const) {
    test(`haproxy ${what}: every client keeps its own slot, many requests on one connection too`, {
      skip: !hasHaproxy && "needs haproxy",
    }, async (t) => {
      const service = await start(t);
      const proxy = await startProxy(t, [{ port: service.appPort, probesPort: service.probesPort }], ["option forwardfor", line]);
      await proxy.untilUp(0);
      const clients = Array.from({ length: 60 }, (_, index) => addressOf(index));
      const asking = clients.map(async (localAddress) => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1, localAddress });
        t.after(() => agent.destroy());
        for (let turn = 0; turn < 3; turn++) {
          const { body } = await ask(proxy.origin, agent, { headers: { "X-Forwarded-For": clientIn(turn) } });
          assert.equal((JSON.parse(body) as Served).slot, slotOf(localAddress, SLOTS), localAddress);
        }
      });
      await Promise.all(asking);
    });
  }

  test("sticky-trust without sticky is refused", async (t) => {
    const { code, stderr } = await runRollcall(t, ["--sticky-trust", "1", "--listen", "paired", "test/fixtures/apps/sticky.mjs"]);
    assert.equal(code, 2);
    assert.match(stderr, /sticky-trust \(1, --sticky-trust\) is for listen sticky only, not for listen \(paired, --listen\)/);
  });
});
