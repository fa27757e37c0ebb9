// Apps that export what is to be served: on the declared ports, by http or https; and apps that export and listen are left alone.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import type http from "node:http";
import https from "node:https";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { certificate, HAS_OPENSSL } from "../helpers/certificate.ts";
import { startExported, stopWell } from "../helpers/exported.ts";
import { scratch } from "../helpers/mistakes.ts";
import { freePort } from "../helpers/ports.ts";
import { FIXTURES, runRollcall, startService } from "../helpers/service.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

describe("an app that exports a handler", { concurrency: 3 }, () => {
  test("and listens by itself, at once or later, is left alone", async (t) => {
    for (const env of [{}, { DELAY: "400" }] as const) {
      const service = await startExported(t, { app: "export-and-listens.mjs", env });
      const pids = await service.workerPids();
      assert.equal(await (await fetch(service.url("/"))).text(), "its own");
      await until("it would have been served", () => service.output().includes("long after"), DEADLINE_MS * 2);
      assert.equal(await (await fetch(service.url("/"))).text(), "its own");
      assert.deepEqual(await service.workerPids(), pids);
      await stopWell(service);
      assert.doesNotMatch(service.output(), /EADDRINUSE/);
    }
  });

  test("is served although it is never idle, and at once with --serve export", async (t) => {
    const patient = await startExported(t, { app: "export-busy.mjs" });
    assert.equal(await (await fetch(patient.url("/"))).text(), "exported");
    await stopWell(patient);
    const told = await startExported(t, { app: "export-and-listens.mjs", env: { DELAY: "3600000" }, flags: ["--serve", "export"] });
    assert.equal(await (await fetch(told.url("/"))).text(), "exported");
    await stopWell(told);
  });

  test("is served on each declared port, on the declared host, and holds them through a reload", async (t) => {
    const second = await freePort();
    const service = await startExported(t, {
      app: "export-listener.mjs",
      workers: 2,
      flags: ["--port", String(second), "--host", "127.0.0.1"],
    });
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
    await stopWell(service);
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

describe("an export that cannot be served", { concurrency: 2 }, () => {
  test("is told long before the boot's deadline, once, and the app lives on", async (t) => {
    for (const [name, text, what] of [
      ["number.mjs", "export default 42;", "a number"],
      ["class.mjs", "export default class App {}", "a class"],
      ["names.mjs", "export const app = 1, start = () => {};", "only names \\(app, start\\) and no default"],
      ["object.cjs", "module.exports = { start() {} };", "an object with start"],
    ] as const) {
      const app = join(scratch(t), name);
      writeFileSync(app, text);
      const service = await startService(t, { app, workers: 2 });
      const warning = new RegExp(`the app exports ${what} and does not listen on ${service.appPort}: expected a listen\\(\\)`, "g");
      await until("it is told", () => warning.test(service.output()));
      await until("both workers live", async () => (await service.status()).workers.flatMap(({ processes }) => processes).length === 2);
      service.signal("SIGTERM");
      await service.exited();
      assert.equal(service.output().match(warning)?.length, 1, service.output());
    }
  });

  test("is no news where the app listens by itself, at once or later", async (t) => {
    for (const delay of [0, 300]) {
      const app = join(scratch(t), "listens.mjs");
      const listen = "http.createServer((_, response) => response.end('its own')).listen(Number(process.env.PORT))";
      writeFileSync(app, `import http from "node:http"; export const name = "for tests"; setTimeout(() => ${listen}, ${delay});`);
      const service = await startExported(t, { app });
      assert.equal(await (await fetch(service.url("/"))).text(), "its own");
      await stopWell(service);
      assert.doesNotMatch(service.output(), /the app exports/);
    }
  });
});

describe("https", { concurrency: 2, skip: HAS_OPENSSL ? false : "needs openssl" }, () => {
  test("serves an exported handler with the files that are there at each start of a worker", async (t) => {
    const { TLS_KEY: key, TLS_CERT: cert } = certificate(t) as { TLS_KEY: string; TLS_CERT: string };
    const service = await startExported(t, { app: "export-fetch.mjs", flags: ["--https-key", key, "--https-cert", cert] });
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
    await stopWell(service);
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
      const service = await startExported(t, { app, declared: false, workers: 2, flags: ["--port", "0", "--listen", listen] });
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
      await stopWell(service);
    }
  });
}
