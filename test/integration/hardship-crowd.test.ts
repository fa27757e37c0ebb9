// Crowds on the probes and the metrics port: thousands that say nothing, that speak a byte a second, that never read. A probe is answered all the same.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { placesWithin } from "../../src/master/descriptors.ts";
import { limitGuests } from "../../src/master/guests.ts";
import { type Service, startService } from "../helpers/service.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

const IDLE = 5_000;
/** Places of both ports, and whatever else a master has open. */
const MOST_DESCRIPTORS = 1_400;
const AT_ONCE = 250;

async function start(t: TestContext): Promise<Service> {
  const service = await startService(t, { app: "http.mjs", workers: 1 });
  await service.untilReady();
  return service;
}

/** Connects `count` clients to both ports in turn, a few at a time, and keeps them. */
async function crowd(t: TestContext, service: Service, count: number, hello: (socket: Socket) => void): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const one = async (): Promise<void> => {
    while (sockets.length < count) {
      const socket = connect(sockets.length % 2 === 0 ? service.probesPort : service.metricsPort, "127.0.0.1");
      sockets.push(socket);
      await new Promise<void>((resolve) => socket.on("error", () => resolve()).once("connect", () => resolve()));
      hello(socket);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return sockets;
}

/** As kubelet asks: on a connection of its own, since an idle one may have had to go. */
async function ask(port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const response = await fetch(`http://127.0.0.1:${port}/${path}`, { headers: { connection: "close" }, signal });
  return { status: response.status, body: await response.text() };
}

/** All that an orchestrator asks, some times over; says how long it took. */
async function isAnswered(t: TestContext, service: Service): Promise<void> {
  const startedAt = performance.now();
  for (let round = 0; round < 5; round++) {
    for (const probe of ["live", "ready", "health"]) assert.equal((await ask(service.probesPort, probe)).status, 200);
    assert.match((await ask(service.metricsPort, "metrics")).body, /^rollcall_live 1$/m);
  }
  t.diagnostic(`20 answers took ${Math.round(performance.now() - startedAt)} ms`);
  assert.ok(readdirSync(`/proc/${service.pid}/fd`).length < MOST_DESCRIPTORS);
  assert.ok(!/unexpected error|MaxListenersExceededWarning/.test(service.output()), service.output());
}

describe("the probes and the metrics port", { skip: process.platform !== "linux" && "counts descriptors in /proc" }, () => {
  test(`answer beside ${IDLE} idle connections`, async (t) => {
    const service = await start(t);
    let idle: readonly Socket[] = [];
    const arriving = crowd(t, service, IDLE, () => {}).then((sockets) => (idle = sockets));
    // Also while they arrive.
    while (idle.length === 0) assert.equal((await ask(service.probesPort, "live")).status, 200);
    await arriving;
    await isAnswered(t, service);
  });

  test("answer beside a thousand that send their request a byte at a time, and a thousand that never read their answer", async (t) => {
    const service = await start(t);
    const slow = await crowd(t, service, 1_000, (socket) => socket.write("GET /ready HTTP/1.1\r\nHost: x\r\nX: "));
    const dripping = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write("x");
    }, 500);
    t.after(() => clearInterval(dripping));
    await isAnswered(t, service);
    await crowd(t, service, 1_000, (socket) => {
      socket.pause();
      socket.write("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20));
    });
    await isAnswered(t, service);
  });
});

describe("the places of a port", () => {
  test("are a share of the descriptors, within bounds", () => {
    assert.deepEqual([null, 1_048_576, 1_024, 64, 10].map(placesWithin), [600, 600, 170, 10, 8]);
  });

  test("go from the one that has been quiet for longest to the one that comes", async (t) => {
    const server = process.getBuiltinModule("node:http").createServer((_, response) => response.end("ok"));
    limitGuests(server, 2);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as { port: number };
    const closed: string[] = [];
    const guest = async (name: string): Promise<{ ask(): Promise<void> }> => {
      const socket = connect(port, "127.0.0.1").on("error", () => {});
      t.after(() => socket.destroy());
      socket.once("close", () => closed.push(name));
      let received = "";
      socket.on("data", (chunk) => (received += chunk));
      const ask = async (): Promise<void> => {
        received = "";
        socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        await until(`${name} is answered`, () => received.endsWith("ok"));
      };
      await ask();
      return { ask };
    };
    const first = await guest("first");
    await guest("second");
    await first.ask();
    await guest("third");
    await until("one has gone", () => closed.length === 1);
    await first.ask();
    await guest("fourth");
    await until("another one has gone", () => closed.length === 2);
    assert.deepEqual(closed, ["second", "third"]);
  });
});
