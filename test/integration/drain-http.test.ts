// The drain over HTTP/1.1 and HTTPS: whatever a worker has read it answers, the last answer on a connection says so, and who is idle has an allowance.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { certificate, HAS_OPENSSL } from "../helpers/certificate.ts";
import { accepts, connect, type RawConnection } from "../helpers/load.ts";
import { type Service, type ServiceOptions, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const POST = (path: string, body: string, more = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

/** The `Connection` header of each answer, in order, and its body. */
function answersOf({ received }: RawConnection): readonly (readonly [string, string])[] {
  return received()
    .split(/(?=HTTP\/1\.1 [2-5])/)
    .filter((text) => text.startsWith("HTTP/1.1 ") && !text.startsWith("HTTP/1.1 100"))
    .map((text) => [/^connection: (.*)$/im.exec(text)?.[1] ?? "", text.slice(text.indexOf("\r\n\r\n") + 4)]);
}

for (const scheme of ["http", "https"] as const) {
  const secure = scheme === "https";
  const start = async (t: TestContext, flags: readonly string[] = [], options: Partial<ServiceOptions> = {}): Promise<Service> => {
    const budget = ["--stop-timeout", "18s", "--drain-idle", "8s", ...flags];
    const env = secure ? certificate(t) : {};
    const service = await startService(t, { app: "drain-http.mjs", workers: 1, flags: budget, env, ...options });
    await service.untilReady();
    return service;
  };
  const open = (service: Service): Promise<RawConnection> => connect(service.appPort, secure);
  /** Begins the drain of the one worker by a stop, or by a reload. */
  const drain = async (service: Service, signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    service.signal(signal);
    await until("the worker drains", () => service.output().includes("draining"));
  };
  const begun = (service: Service, path: string): Promise<unknown> =>
    until(`${path} has begun`, () => service.output().includes(`begun ${path}\n`));
  const accepted = (service: Service, count: number): Promise<unknown> =>
    until(`${count} connections are accepted`, async () => (await service.status()).workers[0]?.processes[0]?.connections === count);
  const closed = (client: RawConnection): Promise<unknown> => until("the connection ends", () => client.isClosed());

  describe(`a drain over ${scheme}`, { concurrency: 3, skip: secure && !HAS_OPENSSL && "needs openssl" }, () => {
    test("answers all of three requests in one packet, and says close with the last only", async (t) => {
      const service = await start(t);
      const client = await open(service);
      client.send("/");
      await until("the first answer is there", () => answersOf(client).length === 1);
      await drain(service);
      client.socket.write(GET("/1") + GET("/2") + GET("/3"));
      await closed(client);
      assert.deepEqual(answersOf(client).slice(1), [
        ["keep-alive", "hello /1"],
        ["keep-alive", "hello /2"],
        ["close", "hello /3"],
      ]);
      assert.equal((await service.exited()).code, 0);
    });

    test("answers pipelined requests with bodies, the last of them in two packets", async (t) => {
      const service = await start(t);
      const client = await open(service);
      await accepted(service, 1);
      await drain(service);
      const last = POST("/upload", "x".repeat(50));
      client.socket.write(POST("/upload", "a\r\n\r\nb") + POST("/", "body") + last.slice(0, -20));
      await begun(service, "/");
      client.socket.write(last.slice(-20));
      await closed(client);
      assert.deepEqual(answersOf(client), [
        ["keep-alive", "uploaded 6"],
        ["keep-alive", "hello /"],
        ["close", "uploaded 50"],
      ]);
    });

    test("answers what was pipelined before the drain began, and what follows on the same connection meanwhile", async (t) => {
      const service = await start(t);
      const client = await open(service);
      client.socket.write(GET("/slow?ms=1500") + GET("/slow?ms=1"));
      await begun(service, "/slow?ms=1");
      await drain(service, "SIGHUP");
      client.socket.write(GET("/slow?ms=2") + GET("/last"));
      await closed(client);
      assert.deepEqual(
        answersOf(client).map(([, body]) => body),
        ["slow", "slow", "slow", "hello /last"],
      );
      assert.deepEqual(
        answersOf(client).map(([connection]) => connection),
        ["keep-alive", "keep-alive", "keep-alive", "close"],
      );
    });

    test("takes an upload to its end, and answers one that the app does not read", async (t) => {
      const service = await start(t);
      const [read, ignored] = [await open(service), await open(service)];
      // A client that sends to the end, whatever it has been answered.
      ignored.socket.allowHalfOpen = true;
      const body = "x".repeat(4 * 1_048_576);
      const send = (client: RawConnection, path: string): void => {
        client.socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`);
        client.socket.write(body.slice(0, 10));
      };
      send(read, "/upload");
      send(ignored, "/slow?ms=2000");
      await begun(service, "/upload");
      await begun(service, "/slow?ms=2000");
      await drain(service);
      read.socket.write(body.slice(10));
      await until("the unread upload is answered", () => answersOf(ignored).length === 1);
      let reset: Error | null = null;
      ignored.socket.once("error", (error) => (reset = error));
      ignored.socket.end(body.slice(10));
      await closed(read);
      assert.deepEqual(answersOf(read), [["close", `uploaded ${body.length}`]]);
      assert.deepEqual(answersOf(ignored), [["close", "slow"]]);
      await closed(ignored);
      assert.equal(reset, null);
      assert.equal((await service.exited()).code, 0);
    });

    test("gives a connection whose response said keep-alive before the drain its idle allowance after it", async (t) => {
      const service = await start(t, ["--drain-idle", "3s"]);
      const client = await open(service);
      client.send("/stream?ms=3500");
      await until("the headers are there", () => /keep-alive[\s\S]*first/i.test(client.received()));
      await drain(service);
      await until("the response has ended", () => client.received().endsWith("0\r\n\r\n"));
      client.send("/again");
      await closed(client);
      assert.deepEqual(answersOf(client)[1], ["close", "hello /again"]);
      assert.equal((await service.exited()).code, 0);
    });

    test("lets a silent connection send its request within the allowance, and one that expects 100 its body", async (t) => {
      const service = await start(t);
      const [silent, expecting] = [await open(service), await open(service)];
      await accepted(service, 2);
      await drain(service);
      silent.send("/silent");
      expecting.socket.write(POST("/upload", "body", "Expect: 100-continue\r\n").slice(0, -4));
      await until("it may go on", () => expecting.received().startsWith("HTTP/1.1 100 Continue"));
      expecting.socket.write("body");
      await closed(silent);
      await closed(expecting);
      assert.deepEqual(answersOf(silent), [["close", "hello /silent"]]);
      assert.deepEqual(answersOf(expecting), [["close", "uploaded 4"]]);
      const exit = await service.exited();
      assert.ok(exit.afterMs < 7_000, `the allowance was waited out, though nobody was left: ${exit.afterMs} ms`);
    });

    test("says close where the app says keep-alive, in whichever way", async (t) => {
      const service = await start(t);
      const ways = ["set", "object", "list"];
      const clients = await Promise.all(ways.map(() => open(service)));
      await accepted(service, ways.length);
      await drain(service);
      for (const [index, how] of ways.entries()) clients[index]?.send(`/keep?how=${how}`);
      for (const client of clients) await closed(client);
      for (const client of clients) {
        assert.equal(answersOf(client)[0]?.[0], "close");
        assert.match(client.received(), /kept/);
      }
      assert.match(clients[1]?.received() ?? "", /x-kept: 1/);
      assert.match(clients[2]?.received() ?? "", /x-kept: 1/);
    });

    test("closes idle, silent and half-sent connections after the allowance, and none that is busy", async (t) => {
      const service = await start(t, ["--drain-idle", "300ms"]);
      const [idle, silent, halfway, busy] = [await open(service), await open(service), await open(service), await open(service)];
      idle.send("/");
      halfway.socket.write("GET / HTTP/1.1\r\nHost: loc");
      busy.send("/slow?ms=2500");
      await begun(service, "/slow?ms=2500");
      await accepted(service, 4);
      await drain(service);
      for (const client of [idle, silent, halfway]) await closed(client);
      assert.equal(busy.isClosed(), false);
      await closed(busy);
      assert.deepEqual(answersOf(busy), [["close", "slow"]]);
      assert.equal((await service.exited()).code, 0);
      assert.equal(await accepts(service.appPort), false);
      assert.equal(service.hasLogged(/ cut/), false);
    });
  });
}
