// What V8 writes and cannot read again costs the message that it is in, and nobody's process.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { standaloneMessenger } from "../../../../src/runtime/messages/standalone-messenger.ts";

const { WebAssembly } = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } };
const MODULE = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));

test("a letter that cannot be read is dropped with a warning, and the next one is heard", async () => {
  const messenger = standaloneMessenger();
  const heard: unknown[] = [];
  messenger.on("news", (data) => heard.push(data));
  const warned = once(process, "warning");
  messenger.sendToApp("news", MODULE);
  messenger.sendToApp("news", "the next");
  const [warning] = (await warned) as [Error & { code: string }];
  assert.equal(warning.code, "ROLLCALL_UNREADABLE");
  assert.match(warning.message, /^messenger: "news" is dropped: the data of a message from \w+ cannot be read: /);
  await messenger.flushed();
  assert.deepEqual(heard, ["the next"]);
});

test("a question that cannot be read, and an answer, is refused with the reason", async () => {
  const messenger = standaloneMessenger();
  messenger.onAsk("echo", (data) => data);
  messenger.onAsk("module", () => MODULE);
  await assert.rejects(messenger.ask("app", "echo", MODULE), { code: "ERR_ASK_REFUSED", message: /cannot be read/ });
  await assert.rejects(messenger.ask("app", "module"), { code: "ERR_ASK_REFUSED", message: /cannot be read/ });
});
