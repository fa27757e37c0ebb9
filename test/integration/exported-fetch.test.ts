// Apps that export { fetch }: requests and answers stream both ways, and whoever leaves, breaks or does not read costs nobody else anything.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { describe, test } from "node:test";
import { startExported, stopWell } from "../helpers/exported.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

describe("an exported { fetch }", { concurrency: 3 }, () => {
  test("sees the request as it was sent, and its answer arrives as it was made", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const response = await fetch(service.url("/facts?a=b%20c"), { method: "PUT", headers: { "x-own": "yes" }, body: "" });
    const facts = (await response.json()) as { method: string; href: string; headers: Record<string, string>; remote: string };
    assert.deepEqual([facts.method, facts.href, facts.headers["x-own"]], ["PUT", service.url("/facts?a=b%20c"), "yes"]);
    assert.match(facts.remote, /127\.0\.0\.1$/);
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.equal(response.headers.get("x-one"), "1");
    assert.ok(Number(response.headers.get("content-length")) > 0, "a whole body has a length");
    const empty = await fetch(service.url("/"), { method: "HEAD" });
    assert.equal(empty.status, 204);
    const thrown = await fetch(service.url("/throw"));
    assert.deepEqual([thrown.status, await thrown.text()], [500, "Internal Server Error"]);
    assert.equal((await fetch(service.url("/nothing"))).status, 500);
    await until("both failures are printed", () =>
      [/fetch\(\) failed: Error: thrown by fetch/, /expected fetch\(\) to return a Response; got undefined/].every((each) =>
        each.test(service.output()),
      ),
    );
    assert.equal(await raw(service.appPort, "GET / HTTP/1.1\r\nHost: not a host\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    assert.equal(await raw(service.appPort, "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 400 Bad Request");
    assert.equal((await service.workerPids()).length, 1);
    await stopWell(service);
  });

  test("streams a body in and out at the same time", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const request = http.request(service.url("/echo"), { method: "POST" });
    request.write("first");
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    assert.deepEqual([response.statusCode, response.statusMessage], [201, "Echoed"]);
    const [first] = (await once(response, "data")) as [Buffer];
    assert.equal(first.toString(), "first", "it came back while the request goes on");
    const large = Buffer.alloc(3 * 1024 * 1024, "x");
    let size = 0;
    response.on("data", (chunk: Buffer) => (size += chunk.length));
    request.end(large);
    await once(response, "end");
    assert.equal(size, large.length);
    await stopWell(service);
  });

  test("hears that its client has gone, and holds nothing for one that does not read", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const request = http.get(service.url("/stream?ms=1"));
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    await once(response, "data");
    response.destroy();
    await until("the app has heard it", () => service.output().includes("aborted") && service.output().includes("cancelled after"));
    await stopWell(service);
  });

  test("that has nothing to say yet is heard to answer, and hears that its client has gone", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const request = http.get(service.url("/silent"));
    const [response] = (await once(request, "response", { signal: AbortSignal.timeout(DEADLINE_MS) })) as [http.IncomingMessage];
    assert.equal(response.statusCode, 200);
    response.destroy();
    await until("the app has heard it", () => service.output().includes("silent: cancelled"));
    await stopWell(service);
  });

  test("that answers a client who has gone meanwhile has its body cancelled", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const request = http.get(service.url("/late")).on("error", () => {});
    await until("the app is asked", () => service.output().includes("late: asked"));
    request.destroy();
    await until("the app has heard it", () => service.output().includes("late: cancelled"));
    await stopWell(service);
  });

  test("may read on when it has answered, and is told where it begins too late", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const body = Buffer.alloc(3 * 1024 * 1024, "y");
    for (const path of ["/reads-on", "/reads-late"]) {
      const request = http.request(service.url(path), { method: "POST", headers: { "content-length": body.length } });
      request.end(body);
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      assert.equal(response.resume().statusCode, 202);
    }
    await until("all of it is read", () => service.output().includes(`reads on: ${body.length}`));
    await until("it is told", () => service.output().includes("reads late: TypeError"));
    await stopWell(service);
  });

  test("is not asked for a path that a host has made up", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const get = (host: string): Promise<string> => raw(service.appPort, `GET /a HTTP/1.1\r\nhost:${host}\r\nconnection: close\r\n\r\n`);
    for (const host of ["x/pid?", "x#", "u@x", "x\\y"]) assert.match(await get(` ${host}`), /^HTTP\/1\.1 400 /, host);
    assert.match(
      await raw(service.appPort, "GET /facts HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n", "}"),
      /"href":"http:\/\/localhost\/facts"/,
    );
    await stopWell(service);
  });

  test("may leave a body unread: the next request on the connection is answered", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const post = async (path: string): Promise<string> => {
      const request = http.request(service.url(path), { method: "POST", agent });
      request.end(Buffer.alloc(2 * 1024 * 1024, "y"));
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      let text = "";
      for await (const chunk of response) text += String(chunk);
      return text;
    };
    const pid = String((await service.workerPids())[0]);
    for (const path of ["/pid", "/first", "/pid", "/too-large", "/pid"]) {
      const answer = await post(path);
      if (path === "/pid") assert.equal(answer, pid);
      else if (path === "/too-large") assert.equal(answer, "Internal Server Error");
      else assert.match(answer, /^y+$/);
    }
    await stopWell(service);
  });

  test("that breaks while its client does not read ends the connection alone", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    const pids = await service.workerPids();
    const client = net.connect(service.appPort, "127.0.0.1", () => client.write("GET /fail-late HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    t.after(() => client.destroy());
    await until("it has failed", () => service.output().includes("failed late"));
    assert.equal(await (await fetch(service.url("/pid"))).text(), String(pids[0]));
    client.resume();
    await once(client, "close");
    assert.deepEqual(await service.workerPids(), pids);
    await stopWell(service);
  });

  test("that breaks in the midst of a body ends the connection, and the worker lives on", async (t) => {
    const service = await startExported(t, { app: "export-fetch.mjs" });
    // Whether its head is out by then or not.
    await assert.rejects(fetch(service.url("/break")).then((response) => response.text()));
    assert.equal(await (await fetch(service.url("/pid"))).text(), String((await service.workerPids())[0]));
    await stopWell(service);
  });
});

/** What bytes are answered with, up to the first `end`: unless given, the status line. */
async function raw(port: number, bytes: string, end = "\r\n"): Promise<string> {
  const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await until("an answer has come", () => text.includes(end));
  socket.destroy();
  return text.split(end)[0] as string;
}
