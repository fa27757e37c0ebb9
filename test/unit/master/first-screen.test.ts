// How an address that a worker listens on is shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeAddress } from "../../../src/master/first-screen.ts";

for (const [address, port, scheme, shown] of [
  ["::", 3000, "http", "http://localhost:3000"],
  ["0.0.0.0", 3000, "https", "https://localhost:3000"],
  ["::", 5432, "tcp", "tcp://localhost:5432"],
  ["127.0.0.1", 80, "http", "http://127.0.0.1:80"],
  ["::1", 80, "http", "http://[::1]:80"],
  ["/run/app.sock", null, "http", "/run/app.sock"],
  ["\0app", null, "http", "@app"],
] as const) {
  test(`${JSON.stringify(address)}, ${port}: ${shown}`, () => {
    assert.equal(describeAddress(address, port, scheme), shown);
  });
}
