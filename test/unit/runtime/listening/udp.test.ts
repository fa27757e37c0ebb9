// Which UDP sockets are one worker's alone: those that ask for no port in particular.
import assert from "node:assert/strict";
import { test } from "node:test";
import { exclusively } from "../../../../src/runtime/listening/udp.ts";

const done = (): void => {};
const ANY = { port: 0, exclusive: true };

for (const [given, expected] of [
  [[], [ANY]],
  [[done], [ANY, done]],
  [[0], [ANY]],
  [
    ["0", "127.0.0.1", done],
    [{ ...ANY, address: "127.0.0.1" }, done],
  ],
  [[undefined, "::1"], [{ ...ANY, address: "::1" }]],
  [
    [null, done],
    [ANY, done],
  ],
  [
    [{ address: "127.0.0.1" }, done],
    [{ ...ANY, address: "127.0.0.1" }, done],
  ],
  [[{ port: 0 }], [ANY]],
] as const) {
  test(`bind(${JSON.stringify(given).slice(1, -1)}) is`, () => assert.deepEqual(exclusively(given), expected));
}

for (const given of [
  [53],
  ["53", "127.0.0.1"],
  [{ port: 53 }],
  [{ port: 0, exclusive: false }],
  [{ fd: 7 }],
  [{ recvStart: done }],
  [Object.create({ recvStart: done })],
]) {
  test(`bind(${JSON.stringify(given).slice(1, -1)}) is left as it is`, () => assert.equal(exclusively(given), given));
}
