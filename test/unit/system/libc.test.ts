// The calls of the C library, really made: an orphan-like child reaped, a datagram sent.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasKoffi, loadLibc } from "../../../src/system/libc.ts";

const skip = process.platform !== "linux" ? "needs Linux" : !hasKoffi() && "koffi is not installed: npm ci";

describe("the C library", { skip }, () => {
  it("has no dead child of ours to give, and never takes 0 or a negative number for a pid", () => {
    const libc = loadLibc();
    assert.equal(libc.peek(), null);
    for (const pid of [0, -1, process.pid, 2 ** 22]) assert.equal(libc.reap(pid), null);
  });

  it("says by an errno why a datagram cannot be sent", () => {
    const libc = loadLibc();
    assert.equal(libc.sendDatagram("/nonexistent/socket", "READY=1"), 2);
    assert.equal(libc.sendDatagram(`/${"x".repeat(200)}`, "READY=1"), 36);
    assert.equal(libc.sendDatagram("@rollcall/test/nobody", "READY=1"), 111);
  });
});
