// The drain over HTTP/2: clients hear GOAWAY, lose nothing that they have sent, and streams count as requests.
import assert from "node:assert/strict";
import http2, { type ClientHttp2Session } from "node:http2";
import { text } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import { certificate, HAS_OPENSSL } from "../helpers/certificate.ts";
import { startBusyClient } from "../helpers/http2-frames.ts";
import { connect } from "../helpers/load.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const KINDS = [
  { name: "h2c", secure: false, api: "request" },
  { name: "h2c, the stream API", secure: false, api: "stream" },
  { name: "h2 over TLS", secure: true, api: "request" },
  { name: "h2 over TLS, the stream API", secure: true, api: "stream" },
] as const;

interface Client {
  readonly session: ClientHttp2Session;
  /** Whether GOAWAY has come. */
  readonly isTold: () => boolean;
  get(path: string): Promise<string>;
}

async function open(t: TestContext, service: Service, secure: boolean): Promise<Client> {
  const session = http2.connect(`${secure ? "https" : "http"}://127.0.0.1:${service.appPort}`, { rejectUnauthorized: false });
  t.after(() => session.destroy());
  let told = false;
  session.on("error", () => {}).on("goaway", () => (told = true));
  await new Promise((resolve) => session.once("connect", resolve));
  return {
    session,
    isTold: () => told,
    get: async (path) => {
      const stream = session.request({ ":path": path });
      let status = 0;
      stream.on("response", (headers) => (status = Number(headers[":status"])));
      return `${await text(stream)} ${status}`;
    },
  };
}

for (const { name, secure, api } of KINDS) {
  describe(`a drain over ${name}`, { concurrency: 3, skip: secure && !HAS_OPENSSL && "needs openssl" }, () => {
    const start = async (t: TestContext, flags: readonly string[]): Promise<Service> => {
      const env = { HTTP2_API: api, ...(secure ? certificate(t) : {}) };
      const service = await startService(t, { app: "drain-http2.mjs", workers: 1, env, flags: ["--stop-timeout", "18s", ...flags] });
      await service.untilReady();
      return service;
    };
    const begun = (service: Service, path: string): Promise<unknown> =>
      until(`${path} has begun`, () => service.output().includes(`begun ${path}\n`));
    const process0 = async (service: Service) => (await service.status()).workers[0]?.processes[0];

    test("finishes the streams in hand, counts them, and says GOAWAY at once", async (t) => {
      const service = await start(t, ["--drain-idle", "300ms"]);
      const client = await open(t, service, secure);
      const answers = [client.get("/slow?ms=2500"), client.get("/stream?ms=2500")];
      await begun(service, "/stream?ms=2500");
      await until("both are counted", async () => (await process0(service))?.requestsInFlight === 2);
      service.signal("SIGTERM");
      await until("GOAWAY has come", client.isTold);
      assert.deepEqual(await Promise.all(answers), ["/slow 200", "first /stream 200"]);
      await until("the session is closed", () => client.session.destroyed);
      assert.equal((await service.exited()).code, 0);
      assert.equal(service.hasLogged(/ cut/), false);
    });

    test("closes idle sessions and silent connections after the allowance, and not before", async (t) => {
      const service = await start(t, ["--drain-idle", "2s"]);
      const [used, fresh, silent] = [await open(t, service, secure), await open(t, service, secure), await connect(service.appPort)];
      await used.get("/");
      await until("all three are accepted", async () => (await process0(service))?.connections === 3);
      service.signal("SIGTERM");
      await until("the worker drains", () => service.output().includes("draining"));
      assert.equal(await fresh.get("/late"), "/late 200", "a session without a stream may still begin one");
      await until("GOAWAY has come", () => used.isTold() && fresh.isTold());
      const exit = await service.exited();
      assert.equal(exit.code, 0);
      assert.equal(silent.isClosed(), true);
      assert.ok(exit.afterMs < 8_000, `it took ${exit.afterMs} ms`);
    });

    test("fails the stream whose handler throws at once, and no other", async (t) => {
      const service = await start(t, ["--drain-idle", "300ms"]);
      const client = await open(t, service, secure);
      const slow = client.get("/slow?ms=2500");
      await begun(service, "/slow?ms=2500");
      assert.equal(await client.get("/throw"), " 500");
      assert.equal(await slow, "/slow 200");
    });
  });
}

test("a drain answers every stream that a busy client sends before it reads GOAWAY", async (t) => {
  const service = await startService(t, { app: "drain-http2.mjs", workers: 1, flags: ["--drain-idle", "300ms", "--stop-timeout", "18s"] });
  await service.untilReady();
  for (let generation = 2; generation <= 4; generation++) {
    const clients = [1, 10, 60].map((depth) => startBusyClient(t, service.appPort, depth));
    await until("all are busy", () => clients.every((client) => client.answered() > 100));
    service.signal("SIGHUP");
    await until("all are closed", () => clients.every((client) => client.isClosed()));
    for (const client of clients) {
      assert.equal(client.refused(), 0);
      assert.equal(client.answered(), client.sent());
      const [first, second] = client.goaways();
      assert.equal(first, 2 ** 31 - 1);
      assert.equal(second, client.sent() * 2 - 1);
    }
    await until("the reload is done", async () => (await service.status()).workers[0]?.processes[0]?.generation === generation);
  }
});

test("a server that takes HTTP/1 beside HTTP/2 over TLS says Connection: close there", {
  skip: !HAS_OPENSSL && "needs openssl",
}, async (t) => {
  const flags = ["--stop-timeout", "18s", "--drain-idle", "8s"];
  const service = await startService(t, { app: "drain-http2.mjs", workers: 1, env: certificate(t), flags });
  await service.untilReady();
  const client = await connect(service.appPort, true);
  client.send("/");
  await until("the first answer is there", () => /keep-alive[\s\S]*\//i.test(client.received()));
  service.signal("SIGTERM");
  await until("the worker drains", () => service.output().includes("draining"));
  client.send("/again");
  await until("the connection ends", () => client.isClosed());
  assert.match(client.received(), /connection: close[\s\S]*\/again/i);
});
