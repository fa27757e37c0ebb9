// Responses that take seconds: every line must come, in order, to the very end.
import assert from "node:assert/strict";
import http from "node:http";
import type { TestContext } from "node:test";
import { ask } from "../load.ts";
import { HUNG_MS, type LoadClient, startLoops } from "./client.ts";

const STREAM_MS = 5_000;

/** Half of them on connections that are kept, half on new ones. */
export function startStreams(t: TestContext, origin: string, loops: number): LoadClient {
  const agent = new http.Agent({ keepAlive: true, maxSockets: Math.ceil(loops / 2) });
  let count = 0;
  const options = { client: `streams of ${STREAM_MS} ms`, loops, hungMs: STREAM_MS + HUNG_MS, end: async () => agent.destroy() };
  return startLoops(t, options, async () => {
    const { status, body } = await ask(`${origin}/stream?ms=${STREAM_MS}`, count++ % 2 === 0 && agent);
    assert.equal(status, 200);
    const lines = body.split("\n");
    assert.deepEqual(lines.slice(-2), ["end", ""], `the last of ${lines.length} lines came`);
    assert.deepEqual(lines.slice(0, -2), Object.keys(lines.slice(0, -2)), "no line is missing");
  });
}
