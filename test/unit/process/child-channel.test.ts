// The reading of a child's channel, with real children that write past Node.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Allowance } from "../../../src/messenger/allowance.ts";
import { Turnstile } from "../../../src/messenger/turnstile.ts";
import { readChannel } from "../../../src/process/child-channel.ts";
import { countUnsent, isListener } from "../../../src/sockets/internals.ts";
import { until } from "../../helpers/until.ts";

interface Heard {
  readonly child: ChildProcess;
  readonly messages: unknown[];
  readonly handles: unknown[];
  readonly broken: string[];
}

/** A child that runs this code; `say(text)` writes a line of the channel, whole, past Node. */
function hear(t: TestContext, code: string, turnstile: Turnstile = new Turnstile()): Heard {
  const say =
    "const say = (text) => { const bytes = Buffer.from(text + '\\n'); for (let at = 0; at < bytes.length; ) try { at += require('fs').writeSync(3, bytes, at); } catch {} };";
  const child = spawn(process.execPath, ["-e", `${say} ${code}; setInterval(() => {}, 1e6)`], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  t.after(() => child.kill("SIGKILL"));
  const heard: Heard = { child, messages: [], handles: [], broken: [] };
  readChannel(child, turnstile, {
    onMessage(message, handle) {
      heard.messages.push(message);
      heard.handles.push(handle);
      return true;
    },
    filter: (message) => message,
    onBroken: ({ message }) => heard.broken.push(message),
  });
  return heard;
}

const BROKEN: readonly (readonly [string, string, RegExp])[] = [
  ["a line that is no JSON", "say('junk{')", /got a line that is no JSON: closing the channel$/],
  ["a line that does not end", "say('x'.repeat(5 << 20))", /got a message of more than 4194304 bytes: closing/],
  ["JSON that is too deep", "say('['.repeat(1e6))", /got a line that is no JSON: closing/],
  ["a forged word of Node's", 'say(\'{"cmd":"NODE_HANDLE_NACK"}\')', /got what Node cannot take for its own: closing/],
];

for (const [what, attack, expected] of BROKEN) {
  test(`gives up the channel of a child that writes ${what}, once`, async (t) => {
    const { child, messages, broken } = hear(t, `say('{"n":1}'); say('null'); ${attack}; say('{"n":2}'); ${attack}`);
    await until("the channel is closed", () => !child.connected && broken.length > 0);
    assert.deepEqual(messages, [{ n: 1 }, null]);
    assert.equal(broken.length, 1);
    assert.match(broken[0] ?? "", expected);
  });
}

test("gives up the channel at once, also while a handle is on its way that the child has not acknowledged", async (t) => {
  const code =
    "process.once('disconnect', () => process.exit(7)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300); say('junk{')";
  const server = createServer().listen(0);
  await once(server, "listening");
  t.after(() => server.close());
  const { child, broken } = hear(t, code);
  for (const each of ["one", "two"]) child.send(each, server);
  assert.equal(countUnsent(child), 1);
  await until("the channel is given up", () => broken.length > 0);
  assert.equal(countUnsent(child), 0);
  await until("the child has noticed", () => child.exitCode === 7);
});

test("takes handles as they are, and lets the child's sending go on", async (t) => {
  const { messages, handles, child } = hear(
    t,
    "const server = require('net').createServer().listen(0, '127.0.0.1', () => { process.send('one', server); process.send('two', server); process.send('three'); })",
  );
  await until("all three are heard", () => messages.length === 3);
  assert.deepEqual(messages, ["one", "two", "three"]);
  for (const handle of handles.slice(0, 2)) {
    assert.ok(isListener(handle));
    handle.close();
  }
  assert.equal(handles[2], undefined);
  assert.ok(child.connected);
});

test("acknowledges a handle also of a child that does not take what it is sent: its next ones would wait for ever", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "channel-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const flag = join(folder, "flag");
  const { child, messages, handles } = hear(
    t,
    `const server = require('net').createServer().listen(0); process.send('one', server); process.send('two', server);
     while (!require('fs').existsSync(${JSON.stringify(flag)})) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)`,
  );
  child.send("x".repeat(1.5 * 2 ** 20));
  await until("the first is heard", () => messages.length === 1);
  writeFileSync(flag, "");
  await until("the second is heard", () => messages.length === 2);
  for (const handle of handles) (handle as { close(): void }).close();
});

test("hears the end of the channel", async (t) => {
  const { child } = hear(t, "process.disconnect()");
  await until("it is closed", () => !child.connected);
});

test("rests from a child that floods, and takes it up again", async (t) => {
  let pauses = 0;
  class Counted extends Turnstile {
    override count(source: { pause(): unknown; resume(): unknown }, bytes: number): void {
      const pause = (): void => {
        pauses++;
        source.pause();
      };
      super.count({ pause, resume: () => source.resume() }, bytes);
    }
  }
  const { messages } = hear(t, `for (let n = 0; n < 20000; n++) say('{"n":' + n + '}')`, new Counted());
  await until("all are heard", () => messages.length === 20_000);
  assert.deepEqual(messages.at(-1), { n: 19_999 });
  assert.ok(pauses > 10, `${pauses} pauses`);
});

test("tells when a child does not take what it is sent", async (t) => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  t.after(() => child.kill("SIGKILL"));
  const channel = readChannel(child, new Turnstile(), { filter: (message) => message, onMessage: () => true, onBroken() {} });
  child.kill("SIGSTOP");
  assert.ok(channel.takes());
  for (let i = 0; i < 100 && channel.takes(); i++) child.send("x".repeat(100_000));
  assert.equal(channel.takes(), false);
});

test("an allowance allows so much at once, and then as it is made up for", () => {
  const allowance = new Allowance(2, 1_000);
  assert.deepEqual(
    [0, 1, 2, 499, 501, 502, 999, 3_000, 3_001, 3_002].map((now) => allowance.take(now)),
    [true, true, false, false, true, false, false, true, true, false],
  );
});
