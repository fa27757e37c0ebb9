// The stack of a real process that hangs, by its inspector; and none where there is none to be had.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stackOf } from "../../../src/system/stack.ts";

const DEADLINE_MS = 60_000;
const skip = process.platform === "linux" ? false : "needs /proc";

/** A Node process that says "here" and then runs the code. */
async function run(
  t: TestContext,
  code: string,
  flags: readonly string[] = [],
  setup = "",
): Promise<ChildProcess & { readonly pid: number }> {
  const text = `process.debugPort = 0; ${setup} process.stdout.write("here", () => { ${code} });`;
  const child = spawn(process.execPath, [...flags, "--eval", text], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill("SIGKILL"));
  if (child.stdout !== null) await once(child.stdout, "data");
  assert.ok(child.pid !== undefined);
  return child as ChildProcess & { readonly pid: number };
}

test("tells where an endless loop is, the innermost first", { skip }, async (t) => {
  const { pid } = await run(t, "function inner() { for (;;) Math.sqrt(2); } function outer() { inner(); } outer();");
  const stack = await stackOf(pid, DEADLINE_MS);
  t.after(() => stack?.release());
  assert.deepEqual(
    stack?.frames.slice(0, 2).map(({ name }) => name),
    ["inner", "outer"],
  );
  assert.ok(stack?.frames.every(({ line, column }) => line > 0 && column > 0));
});

test("holds the process until it is released", { skip }, async (t) => {
  const child = await run(t, "const until = Date.now() + 2_000; while (Date.now() < until); process.exit(9);");
  const stack = await stackOf(child.pid, DEADLINE_MS);
  // On a slow machine it may have ended before it was asked.
  if (stack === null) return t.skip("it was over too soon");
  // Longer than it would have gone on by itself.
  await sleep(3_000);
  assert.equal(child.exitCode, null);
  stack.release();
  if (child.exitCode === null) await once(child, "exit");
  assert.equal(child.exitCode, 9);
});

for (const [what, code, flags, setup] of [
  ["that computes in native code", "crypto.pbkdf2Sync('a', 'b', 2 ** 31 - 1, 64, 'sha512')", [], ""],
  ["that listens to SIGUSR1 itself", "for (;;);", [], "process.on('SIGUSR1', () => {});"],
] as const) {
  test(`is null for a process ${what}`, { skip }, async (t) => {
    const child = await run(t, code, flags, setup);
    assert.equal(await stackOf(child.pid, 1_000), null);
    assert.deepEqual([child.exitCode, child.signalCode], [null, null]);
  });
}

test("is null at once for a process whose inspector is switched off, which lives on", { skip, timeout: DEADLINE_MS }, async (t) => {
  const child = await run(t, "for (;;);", ["--disable-sigusr1"]);
  assert.equal(await stackOf(child.pid, 2 * DEADLINE_MS), null);
  assert.deepEqual([child.exitCode, child.signalCode], [null, null]);
});

test("is null for a process that is gone", { skip }, async (t) => {
  const child = await run(t, "process.exit(0)");
  if (child.exitCode === null) await once(child, "exit");
  assert.equal(await stackOf(child.pid, 1_000), null);
});

test("is null where a thread of the process answers in the inspector's place, with junk", { skip }, async (t) => {
  const thread = `
    const http = require("node:http");
    const target = ({ socket }) => JSON.stringify([{ webSocketDebuggerUrl: "ws://127.0.0.1:" + socket.localPort + "/x" }]);
    setTimeout(() => http.createServer((request, response) => response.end(target(request))).on("upgrade", (request, socket) => {
      const accept = require("node:crypto").createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
      socket.write("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n");
      socket.write(Buffer.from([0x81, 4, 106, 117, 110, 107]));
    }).listen(0, "127.0.0.1"), 1_000);`;
  const { pid } = await run(
    t,
    "for (;;);",
    [],
    `process.on("SIGUSR1", () => {}); new (require("node:worker_threads").Worker)(${JSON.stringify(thread)}, { eval: true });`,
  );
  assert.equal(await stackOf(pid, 10_000), null);
});
