// Whether connections stay at a worker, told by what has happened on them: by that it decides whether one more is worth a question to others.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Traffic } from "../../../../src/runtime/traffic/traffic.ts";
import { until } from "../../../helpers/until.ts";

const REQUEST = "GET / HTTP/1.1\r\nhost: localhost\r\n";

async function listen(t: TestContext, server: Server): Promise<Traffic> {
  const traffic = new Traffic();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const { raw } of traffic.connections) raw.destroy();
    server.close();
  });
  return traffic;
}

async function connect(traffic: Traffic, server: Server): Promise<Socket> {
  const { size } = traffic.connections;
  const client = net.connect((server.address() as AddressInfo).port, "127.0.0.1");
  await until("it is accepted", () => traffic.connections.size === size + 1);
  return client.resume().on("error", () => {});
}

test("stays when it idles after an answer, or is asked again, and not before", async (t) => {
  const due: http.ServerResponse[] = [];
  const server = http.createServer((_request, response) => due.push(response));
  const traffic = await listen(t, server);
  assert.equal(traffic.isLasting, false);
  const client = await connect(traffic, server);
  assert.equal(traffic.isLasting, false, "it has asked nothing");
  client.write(`${REQUEST}\r\n`);
  await until("it asks", () => due.length === 1);
  assert.equal(traffic.isLasting, false, "the answer is due");
  due[0]?.end();
  await until("it is answered", () => traffic.inFlight === 0);
  assert.equal(traffic.isLasting, true);
  client.write(`${REQUEST}\r\n`);
  await until("it asks again", () => due.length === 2);
  assert.equal(traffic.isLasting, true);
});

test("does not stay when its answer is the last one", async (t) => {
  const seen: boolean[] = [];
  const server = http.createServer((_request, response) => {
    response.on("finish", () => seen.push(traffic.isLasting)).on("close", () => seen.push(traffic.isLasting));
    response.end("bye");
  });
  const traffic = await listen(t, server);
  (await connect(traffic, server)).write(`${REQUEST}connection: close\r\n\r\n`);
  await until("it is gone", () => traffic.connections.size === 0);
  assert.deepEqual(seen, [false, false]);
});

test("stays from the start where one request after the other is not spoken", async (t) => {
  const raw = net.createServer();
  const traffic = await listen(t, raw);
  await connect(traffic, raw);
  assert.equal(traffic.isLasting, true);
});

test("stays in HTTP/2", async (t) => {
  const server = http2.createServer();
  const traffic = await listen(t, server);
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => session.destroy());
  await once(session, "connect");
  await until("it stays", () => traffic.isLasting);
});

test("goes by the half of those that have said something", async (t) => {
  const server = http.createServer(({ url }, response) => url === "/" && response.end());
  const traffic = await listen(t, server);
  const first = await connect(traffic, server);
  for (let silent = 0; silent < 10; silent++) await connect(traffic, server);
  first.write(`${REQUEST}\r\n`);
  await until("the first one is answered", () => traffic.isLasting);
  for (const [others, expected] of [
    [1, true],
    [2, false],
  ] as const) {
    (await connect(traffic, server)).write(`GET /hangs HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await until("it asks", () => traffic.inFlight === others);
    assert.equal(traffic.isLasting, expected);
  }
  assert.equal(traffic.countOn(server), 13);
});
