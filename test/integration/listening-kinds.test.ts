// Servers of every kind on held sockets: http, https, HTTP/2, raw TCP and an upgraded connection; all workers serve, and a reload cuts nobody off.
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { certificate, HAS_OPENSSL } from "../helpers/certificate.ts";
import { ask } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import { addressOf, GROUNDS, startListening, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const WORKERS = 2;

/** Each asks on a connection of its own and gives the slot that answered. */
const CLIENTS = {
  http: async (port: number, localAddress: string) => (await ask(`http://127.0.0.1:${port}/`, false, { localAddress })).body,
  https: (port: number, localAddress: string) =>
    new Promise<string>((resolve, reject) => {
      const request = https.get({ port, host: "127.0.0.1", localAddress, agent: false, rejectUnauthorized: false });
      request.on("response", (response) => void text(response).then(resolve, reject)).on("error", reject);
    }),
  h2c: (port: number, localAddress: string) => askHttp2(`http://127.0.0.1:${port}`, localAddress),
  h2: (port: number, localAddress: string) => askHttp2(`https://127.0.0.1:${port}`, localAddress),
  net: (port: number, localAddress: string) => text(net.connect({ port, host: "127.0.0.1", localAddress })),
} as const;

/** As the log and the status name them. */
const SCHEMES = { http: "http", https: "https", h2c: "http", h2: "https", net: "tcp" } as const;

async function askHttp2(url: string, localAddress: string): Promise<string> {
  const session = http2.connect(url, { rejectUnauthorized: false, localAddress } as http2.SecureClientSessionOptions);
  session.on("error", () => {});
  try {
    return await text(session.request({ ":path": "/" }));
  } finally {
    session.destroy();
  }
}

describe("all workers serve servers of every kind, before and after a reload", { concurrency: 2 }, () => {
  for (const { listen, declared, name } of GROUNDS) {
    test(name, { skip: !HAS_OPENSSL && "needs openssl" }, async (t) => {
      const ports: Record<string, number> = {};
      for (const kind of Object.keys(CLIENTS)) ports[kind] = await freePort();
      const flags = declared ? Object.values(ports).flatMap((port) => ["--port", String(port)]) : [];
      const options = { workers: WORKERS, app: "listen-kinds.mjs", env: { KINDS: JSON.stringify(ports), ...certificate(t) }, flags };
      const service = await startListening(t, { listen, declared: false }, options);
      await service.untilReady();
      for (let generation = 1; generation <= 2; generation++) {
        if (generation > 1) service.signal("SIGHUP");
        await untilWhole(service, generation, WORKERS);
        for (const [kind, client] of Object.entries(CLIENTS)) {
          const slots = new Set<string>();
          let asked = 0;
          await until(`every slot has answered by ${kind}`, async () => {
            return slots.add(await client(ports[kind] as number, addressOf(asked++))).size === WORKERS;
          });
          assert.deepEqual([...slots].sort(), ["0", "1"]);
        }
      }
      const named = Object.entries(SCHEMES).map(([kind, scheme]) => `${scheme}://localhost:${ports[kind]}`);
      assert.deepEqual([...(await service.status()).addresses].sort(), named.sort());
    });
  }

  test("an upgraded connection: lives on through a reload of its worker, and is cut at the deadline", async (t) => {
    const port = await freePort();
    const env = { KINDS: JSON.stringify({ upgrade: port }) };
    const flags = ["--port", String(port), "--stop-timeout", "3s"];
    const service = await startListening(t, { listen: "paired", declared: false }, { workers: 1, app: "listen-kinds.mjs", env, flags });
    await service.untilReady();
    const socket = net.connect(port, "127.0.0.1");
    let received = "";
    socket.on("error", () => {}).on("data", (chunk: Buffer) => (received += chunk.toString()));
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await until("it is upgraded", () => received.includes("101 Switching"));
    const closed = once(socket, "close");
    service.signal("SIGHUP");
    await until("the successor serves", async () => (await service.status()).generation === 2 && !(await service.status()).reloading);
    socket.write("still there");
    await until("the old worker echoes", () => received.endsWith("still there"));
    await closed;
  });
});
