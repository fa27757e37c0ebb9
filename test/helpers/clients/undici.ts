// undici as a client: connections that are kept, pipelined ones, a new one for each request, and uploads of 1 MiB that must come back whole.
// It takes `Connection: close` to heart, and sends again what it had pipelined behind such an answer.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { Pool } from "undici";
import { type LoadClient, startLoops } from "./client.ts";

const UPLOAD_BYTES = 1 << 20;

export function startUndici(
  t: TestContext,
  origin: string,
  { connections, pipelining }: { connections: number; pipelining: number },
): LoadClient {
  const pool = new Pool(origin, { connections, pipelining });
  const loops = connections * Math.max(1, pipelining);
  return startLoops(t, { client: `undici, ${kindOf(pipelining)}`, loops, end: () => pool.close() }, async () => {
    const { statusCode, body } = await pool.request({ path: "/", method: "GET" });
    const text = await body.text();
    assert.equal(statusCode, 200);
    assert.match(text, /^\{.*"pid":\d+\}$/);
  });
}

/** @param keepAlive false: a new connection for each upload */
export function startUploads(
  t: TestContext,
  origin: string,
  { connections, keepAlive }: { connections: number; keepAlive: boolean },
): LoadClient {
  const pool = new Pool(origin, { connections, pipelining: keepAlive ? 1 : 0 });
  const upload = randomBytes(UPLOAD_BYTES);
  const sent = digest(upload);
  const client = `uploads, ${keepAlive ? "keep-alive" : "new connections"}`;
  return startLoops(t, { client, loops: connections, end: () => pool.close() }, async () => {
    const { statusCode, body } = await pool.request({ path: "/echo", method: "POST", body: upload });
    const echo = Buffer.from(await body.arrayBuffer());
    assert.equal(statusCode, 200);
    assert.equal(echo.length, UPLOAD_BYTES);
    assert.equal(digest(echo), sent);
  });
}

function kindOf(pipelining: number): string {
  if (pipelining === 0) return "new connections";
  return pipelining === 1 ? "keep-alive" : `${pipelining} pipelined`;
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
