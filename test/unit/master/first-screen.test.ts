// How an address that a worker listens on is shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeAddress } from "../../../src/master/first-screen.ts";

for (const [address, port, secure, shown] of [
  ["::", 3000, false, "http://localhost:3000"],
  ["0.0.0.0", 3000, true, "https://localhost:3000"],
  ["127.0.0.1", 80, false, "http://127.0.0.1:80"],
  ["::1", 80, false, "http://[::1]:80"],
  ["/run/app.sock", null, false, "/run/app.sock"],
  ["\0app", null, false, "@app"],
] as const) {
  test(`${JSON.stringify(address)}, ${port}: ${shown}`, () => {
    assert.equal(describeAddress(address, port, secure), shown);
  });
}
