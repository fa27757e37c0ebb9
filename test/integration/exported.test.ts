// Apps that export what is to be served: on the declared ports, by http or https, streaming both ways; and apps that export and listen are left alone.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { certificate, HAS_OPENSSL } from "../helpers/certificate.ts";
import { freePort } from "../helpers/ports.ts";
import { FIXTURES, runRollcall, type Service, type ServiceOptions, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

async function start(t: TestContext, options: ServiceOptions): Promise<Service> {
  const service = await startService(t, { workers: 1, ...options, flags: ["--drain-idle", "100ms", ...(options.flags ?? [])] });
  await service.untilReady();
  return service;
}

async function stop(service: Service): Promise<void> {
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
}

describe("an exported { fetch }", { concurrency: 3 }, () => {
  test("sees the request as it was sent, and its answer arrives as it was made", async (t) => {
    const service = await start(t, { app: "export-fetch.mjs" });
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
    await stop(service);
  });

  test("streams a body in and out at the same time", async (t) => {
    const service = await start(t, { app: "export-fetch.mjs" });
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
    await stop(service);
  });

  test("hears that its client has gone, and holds nothing for one that does not read", async (t) => {
    const service = await start(t, { app: "export-fetch.mjs" });
    const request = http.get(service.url("/stream?ms=1"));
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    await once(response, "data");
    response.destroy();
    await until("the app has heard it", () => service.output().includes("aborted") && service.output().includes("cancelled after"));
    await stop(service);
  });

  test("may leave a body unread: the next request on the connection is answered", async (t) => {
    const service = await start(t, { app: "export-fetch.mjs" });
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
    for (const path of ["/pid", "/first", "/pid"]) {
      const answer = await post(path);
      if (path === "/pid") assert.equal(answer, pid);
      else assert.match(answer, /^y+$/);
    }
    await stop(service);
  });

  test("that breaks in the midst of a body ends the connection, and the worker lives on", async (t) => {
    const service = await start(t, { app: "export-fetch.mjs" });
    // Whether its head is out by then or not.
    await assert.rejects(fetch(service.url("/break")).then((response) => response.text()));
    assert.equal(await (await fetch(service.url("/pid"))).text(), String((await service.workerPids())[0]));
    await stop(service);
  });
});

describe("an app that exports a handler", { concurrency: 3 }, () => {
  test("and listens by itself, at once or later, is left alone", async (t) => {
    for (const env of [{}, { DELAY: "400" }] as const) {
      const service = await start(t, { app: "export-and-listens.mjs", env });
      assert.equal(await (await fetch(service.url("/"))).text(), "its own");
      await stop(service);
    }
  });

  test("is served although it is never idle, and at once with --serve export", async (t) => {
    const patient = await start(t, { app: "export-busy.mjs" });
    assert.equal(await (await fetch(patient.url("/"))).text(), "exported");
    await stop(patient);
    const told = await start(t, { app: "export-and-listens.mjs", env: { DELAY: "3600000" }, flags: ["--serve", "export"] });
    assert.equal(await (await fetch(told.url("/"))).text(), "exported");
    await stop(told);
  });

  test("is served on each declared port, on the declared host, and holds them through a reload", async (t) => {
    const second = await freePort();
    const service = await start(t, { app: "export-listener.mjs", workers: 2, flags: ["--port", String(second), "--host", "127.0.0.1"] });
    const before = await service.workerPids();
    service.signal("SIGHUP");
    await until("the reload is done", () => service.hasLogged(/^reload done/));
    const after = await service.workerPids();
    assert.ok(!after.some((pid) => before.includes(pid)));
    for (const port of [service.appPort, second]) {
      const pid = Number(await (await fetch(`http://127.0.0.1:${port}/pid`)).text());
      assert.ok(after.includes(pid));
    }
    assert.deepEqual(
      (await service.status()).addresses,
      [service.appPort, second].map((port) => `http://127.0.0.1:${port}`),
    );
    await stop(service);
  });

  test("says what is wrong with it: no port, or nothing that can be served", async (t) => {
    const portless = await startService(t, { app: "export-listener.mjs", workers: 1, declared: false });
    assert.equal((await portless.exited()).code, 3);
    assert.match(portless.output(), /the app exports a request listener and no port is known: give --port, or PORT/);
    const wrong = await startService(t, { app: "export-wrong.mjs", workers: 1 });
    assert.equal((await wrong.exited()).code, 3);
    assert.match(wrong.output(), /expected the app's default export to be a request listener.*the function returned number/);
  });
});

describe("https", { concurrency: 2, skip: HAS_OPENSSL ? false : "needs openssl" }, () => {
  test("serves an exported handler with the files that are there at each start of a worker", async (t) => {
    const { TLS_KEY: key, TLS_CERT: cert } = certificate(t) as { TLS_KEY: string; TLS_CERT: string };
    const service = await start(t, { app: "export-fetch.mjs", flags: ["--https-key", key, "--https-cert", cert] });
    const seen = async (): Promise<string> => {
      const request = https.get(`https://localhost:${service.appPort}/facts`, { rejectUnauthorized: false, agent: false });
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      const { fingerprint256 } = (response.socket as import("node:tls").TLSSocket).getPeerCertificate();
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      assert.equal((JSON.parse(Buffer.concat(chunks).toString()) as { href: string }).href, `https://localhost:${service.appPort}/facts`);
      return fingerprint256;
    };
    assert.deepEqual((await service.status()).addresses, [`https://localhost:${service.appPort}`]);
    const first = await seen();
    const renewed = certificate(t) as { TLS_KEY: string; TLS_CERT: string };
    writeFileSync(key, readFileSync(renewed.TLS_KEY));
    writeFileSync(cert, readFileSync(renewed.TLS_CERT));
    service.signal("SIGHUP");
    await until("the reload is done", () => service.hasLogged(/^reload done/));
    assert.notEqual(await seen(), first);
    await stop(service);
  });

  test("is refused before anything is forked when its files are missing, alone, or no pair", async (t) => {
    const { TLS_KEY: key, TLS_CERT: cert } = certificate(t) as { TLS_KEY: string; TLS_CERT: string };
    const other = certificate(t) as { TLS_KEY: string };
    const app = `${FIXTURES}export-fetch.mjs`;
    for (const [flags, problem] of [
      [["--https-key", key], /https-key and https-cert go together: https-cert is missing/],
      [["--https-ca", cert], /https-ca needs https-key and https-cert beside it/],
      [
        ["--https-key", join(dirname(key), "none.pem"), "--https-cert", cert],
        /--https-key: expected a file; cannot read .*none\.pem: no such file/,
      ],
      [["--https-key", dirname(key), "--https-cert", cert], /--https-key: expected a file; got the folder/],
      [["--https-key", other.TLS_KEY, "--https-cert", cert], /https: cannot use .*key values mismatch; expected PEM files/],
    ] as const) {
      const { code, stdout, stderr } = await runRollcall(t, [...flags, "--port", String(await freePort()), app]);
      assert.equal(code, 2, stdout + stderr);
      assert.match(stdout + stderr, problem);
    }
  });
});

for (const listen of ["paired", "round-robin"]) {
  test(`--port 0 takes a free port, which all workers share, and tells it (${listen})`, async (t) => {
    for (const app of ["http.mjs", "export-listener.mjs"]) {
      const service = await start(t, { app, declared: false, workers: 2, flags: ["--port", "0", "--listen", listen] });
      const { addresses } = await service.status();
      assert.equal(addresses.length, 1);
      const { port } = new URL(addresses[0] as string);
      assert.ok(Number(port) > 0);
      const workers = await service.workerPids();
      const seen = new Set<number>();
      await until("both workers have answered", async () => {
        for (let i = 0; i < 8; i++) {
          const response = await fetch(`http://127.0.0.1:${port}/pid`, { headers: { connection: "close" } });
          seen.add(Number(await response.text()));
        }
        return seen.size === 2;
      });
      assert.deepEqual([...seen].sort(), [...workers].sort());
      assert.ok(service.hasLogged(new RegExp(`^ready in .*:${port}$`)));
      await stop(service);
    }
  });
}

/** The status line that bytes are answered with. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes));
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await until("an answer has come", () => text.includes("\r\n"));
  socket.destroy();
  return text.split("\r\n")[0] as string;
}
