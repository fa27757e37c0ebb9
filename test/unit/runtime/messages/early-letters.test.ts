// Letters that came before anybody listened: in their order, before those that come later, and to those that they are for.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Messenger } from "../../../../src/runtime/messages/messenger.ts";

interface Scene {
  readonly messenger: Messenger;
  readonly sent: readonly Buffer[];
  readonly raw: readonly Buffer[];
  /** Begins to listen to `process.on("message")`. */
  readonly listenRaw: () => void;
}

/** What a process that boots is sent is given to it by hand. */
function start(): Scene {
  const sent: Buffer[] = [];
  const raw: Buffer[] = [];
  let isRaw = false;
  const messenger = new Messenger({
    role: "worker",
    send: (frame) => sent.push(Buffer.from(frame)) > 0,
    flushed: () => Promise.resolve(),
    hasRawListeners: () => isRaw,
    emitRaw: (frame) => raw.push(Buffer.from(frame)),
  });
  const listenRaw = (): void => {
    isRaw = true;
    messenger.heardRaw();
  };
  return { messenger, sent, raw, listenRaw };
}

/** What another process sends. */
function framesOf(send: (sender: Messenger) => void): readonly Buffer[] {
  const sender = start();
  send(sender.messenger);
  return sender.sent;
}

test("are heard before one that comes in the moment that somebody begins to listen", async () => {
  const { messenger } = start();
  const [first, second, third] = framesOf((sender) => {
    for (const number of [1, 2, 3]) sender.sendToApp("n", number);
  });
  const heard: unknown[] = [];
  messenger.receive(first as Buffer);
  messenger.receive(second as Buffer);
  messenger.on("n", (data) => heard.push(data));
  assert.deepEqual(heard, [], "not while the code that begins to listen runs");
  messenger.receive(third as Buffer);
  await turn();
  assert.deepEqual(heard, [1, 2, 3]);
});

test("go to who listens to process messages, but for questions, which wait for their handler", async () => {
  const scene = start();
  const [letter, question] = framesOf((sender) => {
    sender.sendToApp("n", 1);
    sender.ask("app", "q", 2).catch(() => {});
  });
  scene.messenger.receive(letter as Buffer);
  scene.messenger.receive(question as Buffer);
  scene.listenRaw();
  await turn();
  assert.equal(scene.raw.length, 1);
  assert.equal(scene.sent.length, 0, "the question is not refused");
  const asked: unknown[] = [];
  scene.messenger.onAsk("q", (data) => asked.push(data));
  await turn();
  assert.deepEqual(asked, [2]);
});
