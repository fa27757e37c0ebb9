// The last words about a child that did not answer, by what can be seen of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeHang, examineThenKill } from "../../../src/master/examine.ts";
import type { Hang } from "../../../src/system/hang.ts";
import type { Frame } from "../../../src/system/stack.ts";
import { Story } from "../../helpers/story.ts";

const UNSEEN: Hang = { state: null, waitsIn: null, cpuSeconds: null, programs: [], frames: null, release: () => {} };
const LOOP: Frame = { name: "loop", url: "file:///app/server.js", line: 4, column: 22 };
const INTERNAL: Frame = { name: "processTimers", url: "node:internal/timers", line: 521, column: 7 };
const NAMELESS: Frame = { name: "", url: "", line: 1, column: 2 };

function say(hang: Partial<Hang>) {
  const story = new Story({ hasAgent: false }).boot();
  const slot = story.slot(0);
  const [life] = story.beat(1, { cpuSeconds: 2 }).slot(0).lives;
  assert.ok(life !== undefined);
  const line = describeHang({ ...UNSEEN, ...hang }, slot, life);
  return { ...line, hang: line.fields.hang as Record<string, unknown> };
}

for (const [hang, expected] of [
  [{ state: "R", frames: [INTERNAL, LOOP] }, "worker 0 hung in loop (file:///app/server.js:4:22)"],
  [{ state: "R", frames: [INTERNAL] }, "worker 0 waited for something asynchronous: its event loop runs"],
  [{ state: "R", frames: [NAMELESS] }, "worker 0 hung in <anonymous>:1:2"],
  [{ state: "S", frames: [LOOP], programs: ["curl"] }, "worker 0 hung in loop (file:///app/server.js:4:22); it runs curl"],
  [{ state: "R" }, /^worker 0 hung in native code or in one long step of JavaScript/],
  [{ state: "R", frames: [] }, /^worker 0 hung in native code/],
  [{ state: "T" }, /^worker 0 did not answer because it is stopped/],
  [{ state: "t" }, /^worker 0 did not answer because it is stopped/],
  [{ state: "D", waitsIn: "nfs_wait_bit" }, /^worker 0 hung in the kernel, in nfs_wait_bit: a disk or a network file system/],
  [{ state: "S", waitsIn: "do_epoll_wait", programs: ["sh", "sleep"] }, /^worker 0 waited for a program that it runs: sh, sleep/],
  [{ state: "S", waitsIn: "do_epoll_wait" }, "worker 0 waited for something asynchronous: its event loop is idle"],
  [{ state: "R", waitsIn: "do_epoll_wait" }, "worker 0 waited for something asynchronous: its event loop is idle"],
  [{ state: "S", waitsIn: "futex_do_wait" }, /^worker 0 hung in a call that blocks \(futex_do_wait in the kernel\)/],
  [{ state: "S" }, /^worker 0 hung in a call that blocks, and/],
  [{ state: null }, /^worker 0 hung; what it was doing cannot be seen/],
] as const satisfies readonly (readonly [Partial<Hang>, string | RegExp])[]) {
  test(`${JSON.stringify(hang).slice(0, 80)}: "${String(expected)}"`, () => {
    const { message } = say(hang);
    if (typeof expected === "string") assert.equal(message, expected);
    else assert.match(message, expected);
  });
}

test("the line has the stack, and what it used of the processor since it last spoke", () => {
  const { hang, level, fields } = say({ state: "R", cpuSeconds: 32, frames: [LOOP, INTERNAL] });
  assert.equal(level, "error");
  assert.deepEqual([fields.role, fields.slot, fields.pid], ["worker", 0, 10_001]);
  assert.equal(hang.cpuSecondsSinceHeartbeat, 30);
  assert.deepEqual(hang.stack, ["at loop (file:///app/server.js:4:22)", "at processTimers (node:internal/timers:521:7)"]);
});

test("a thread is not looked at: its pid is the master's, which a look would stop", async () => {
  const story = new Story({ hasAgent: true }).boot();
  const slot = story.state.agent;
  const life = slot?.lives[0];
  assert.ok(slot != null && life !== undefined);
  const said: string[] = [];
  let kills = 0;
  const startedAt = performance.now();
  await examineThenKill({
    slot,
    life: { ...life, pid: process.pid, thread: 3 },
    kill: () => kills++,
    write: ({ message }) => said.push(message),
  });
  assert.deepEqual([kills, said], [1, []]);
  assert.ok(performance.now() - startedAt < 1_000);
});

test("a deep recursion does not fill the log", () => {
  const { hang } = say({ state: "R", frames: Array(10_000).fill(LOOP) });
  assert.equal((hang.stack as readonly string[]).length, 25);
});
