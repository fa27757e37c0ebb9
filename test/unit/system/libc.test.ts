// The calls of the C library, really made: an orphan-like child reaped, a datagram sent.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { hasKoffi, loadLibc } from "../../../src/system/libc.ts";
import { zombieOf } from "../../../src/system/procfs.ts";
import { DEADLINE_MS } from "../../helpers/until.ts";

const skip = process.platform !== "linux" ? "needs Linux" : !hasKoffi() && "koffi is not installed: npm ci";

describe("the C library", { skip }, () => {
  it("has no dead child of ours to give, and never takes 0 or a negative number for a pid", () => {
    const libc = loadLibc();
    assert.equal(libc.peek(), null);
    for (const pid of [0, -1, process.pid, 2 ** 22]) assert.equal(libc.reap(pid), null);
  });

  it("reaps exactly the child that it is asked for, and sees one that is dead without taking it", async (t) => {
    const libc = loadLibc();
    const [alive, dead] = [start(t, "exec sleep 60"), start(t, "exit 7")];
    t.after(() => alive.kill("SIGKILL"));
    // No turn of the event loop from here on: libuv would reap it.
    const endsAt = performance.now() + DEADLINE_MS;
    while (zombieOf(dead.pid as number, process.pid) === null) assert.ok(performance.now() < endsAt, "it never ended");
    assert.equal(libc.reap(alive.pid as number), null);
    assert.deepEqual([libc.peek(), libc.peek()], [dead.pid, dead.pid]);
    const [code] = await once(dead, "exit");
    assert.equal(code, 7, "its exit is still seen");
    const taken = start(t, "exit 3");
    while (zombieOf(taken.pid as number, process.pid) === null) assert.ok(performance.now() < endsAt, "it never ended");
    assert.equal(libc.reap(taken.pid as number), 3 << 8);
    assert.equal(libc.peek(), null);
    alive.kill("SIGKILL");
    await once(alive, "exit");
  });

  it("says by an errno why a datagram cannot be sent", () => {
    const libc = loadLibc();
    assert.equal(libc.sendDatagram("/nonexistent/socket", "READY=1"), 2);
    assert.equal(libc.sendDatagram(`/${"x".repeat(200)}`, "READY=1"), 36);
    assert.equal(libc.sendDatagram("@rollcall/test/nobody", "READY=1"), 111);
  });
});

function start(t: TestContext, script: string): ChildProcess {
  const child = spawn("sh", ["-c", script], { stdio: "ignore" });
  t.after(() => child.unref());
  return child;
}
