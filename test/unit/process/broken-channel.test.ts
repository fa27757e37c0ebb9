import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Turnstile } from "../../../src/messenger/turnstile.ts";
import { readChannel } from "../../../src/process/child-channel.ts";
import { until } from "../../helpers/until.ts";

const BABBLER = fileURLToPath(new URL("../../fixtures/babbler.mjs", import.meta.url));
const CHANNEL_FD = 3;

interface Babbler {
  readonly child: ChildProcess;
  readonly errors: readonly Error[];
  readonly heard: readonly unknown[];
  say(...parts: readonly string[]): void;
}

function startBabbler(t: import("node:test").TestContext): Babbler {
  const child = fork(BABBLER, [String(CHANNEL_FD)]);
  t.after(() => void child.kill("SIGKILL"));
  const [errors, heard]: [Error[], unknown[]] = [[], []];
  readChannel(child, new Turnstile(), {
    filter: (message) => message,
    onMessage: (message) => heard.push(message) > 0,
    onBroken: (error) => errors.push(error),
  });
  return { child, errors, heard, say: (...parts) => void child.send(parts) };
}

for (const [what, text] of Object.entries({
  "bytes that are no JSON": "garbage {\n\0\n",
  "an answer to a handle that nobody sent": '{"cmd":"NODE_HANDLE_ACK"}\n',
})) {
  test(`gives up a channel that carries ${what}, once, and the child knows`, async (t) => {
    const { child, errors, say } = startBabbler(t);
    const exited = once(child, "exit");
    say(text + text);
    assert.deepEqual(await exited, [42, null]);
    assert.equal(errors.length, 1);
    assert.match(String(errors[0]?.message), /expected messages of Node's on its channel/);
  });
}

test("gives it up when half of a message has come before, which Node would wait for", async (t) => {
  const { child, errors, heard, say } = startBabbler(t);
  const exited = once(child, "exit");
  say('{"whole":1}\n{"half":');
  await until("the whole one has come", () => heard.length === 1);
  say("garbage\n");
  assert.deepEqual(await exited, [42, null]);
  assert.equal(errors.length, 1);
});

test("lets whole messages through", async (t) => {
  const { errors, heard, say } = startBabbler(t);
  say('{"one":1}\n', '{"two":', "2}\n");
  await until("both have come", () => heard.length === 2);
  assert.deepEqual(heard, [{ one: 1 }, { two: 2 }]);
  assert.deepEqual(errors, []);
});
