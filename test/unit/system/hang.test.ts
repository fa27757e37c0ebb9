// What a process that does not answer is seen to do, on a made-up /proc that changes between two looks.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lookAtHang } from "../../../src/system/hang.ts";

/** Above what any kernel gives: a look that goes on to the inspector finds nobody. */
const PID = 2 ** 22 + 1;
const PROGRAM = PID + 1;
const DEADLINE_MS = 1_000;

function proc(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "hang-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const show = (pid: number, parent: number, state: string, waitsIn: string): void => {
    const folder = join(root, String(pid));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "stat"), `${pid} (a) b) ${state} ${parent} 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 77 0 0\n`);
    writeFileSync(join(folder, "wchan"), waitsIn);
    writeFileSync(join(folder, "comm"), pid === PID ? "node\n" : "sleep\n");
  };
  return { root, show };
}

test("an event loop that is first seen in its timer and then waits for events does not hang", async (t) => {
  const { root, show } = proc(t);
  show(PID, 1, "R", "0");
  const looking = lookAtHang(PID, DEADLINE_MS, root);
  // The first look is over: it is part of the call.
  show(PID, 1, "S", "do_epoll_wait");
  const { state, waitsIn, frames } = await looking;
  assert.deepEqual([state, waitsIn, frames], ["S", "do_epoll_wait", null]);
});

test("who waits for events at the first look is not looked at again", async (t) => {
  const { root, show } = proc(t);
  show(PID, 1, "S", "do_epoll_wait");
  const looking = lookAtHang(PID, DEADLINE_MS, root);
  show(PID, 1, "R", "0");
  assert.equal((await looking).state, "S");
});

test("who never waits for events is told of as it stands in the end, with its CPU time and its programs", {
  timeout: 10_000,
}, async (t) => {
  const { root, show } = proc(t);
  show(PID, 1, "S", "futex_do_wait");
  show(PROGRAM, PID, "S", "hrtimer_nanosleep");
  const looking = lookAtHang(PID, DEADLINE_MS, root);
  show(PID, 1, "R", "0");
  const { release, ...seen } = await looking;
  assert.deepEqual(seen, { state: "R", waitsIn: null, cpuSeconds: 2, programs: ["sleep"], frames: null });
});

test("a process that is gone is nothing that can be seen, and no error", { timeout: 10_000 }, async (t) => {
  const { root } = proc(t);
  const { release, ...seen } = await lookAtHang(PID, DEADLINE_MS, root);
  assert.deepEqual(seen, { state: null, waitsIn: null, cpuSeconds: null, programs: [], frames: null });
});
