// Which two addresses on one port leave no room for each other, as the kernel sees it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { overlaps, targetOf } from "../../../../src/runtime/listening/listen-target.ts";

for (const [host, held, expected] of [
  [undefined, "127.0.0.1", true],
  ["::", "127.0.0.1", true],
  ["127.0.0.1", null, true],
  ["0.0.0.0", null, true],
  ["0.0.0.0", "127.0.0.1", true],
  ["127.0.0.1", "0.0.0.0", true],
  ["127.0.0.1", "127.0.0.1", true],
  ["127.0.0.1", "127.0.0.2", false],
  ["0.0.0.0", "::1", false],
  ["::1", "0.0.0.0", false],
  ["::1", "127.0.0.1", false],
] as const)
  test(`${host ?? "no host"} ${expected ? "leaves no room beside" : "goes with"} ${held ?? "all interfaces"}`, () => {
    const target = targetOf({ port: 80, host });
    assert.ok(target !== null);
    assert.equal(overlaps(target, held), expected);
  });
