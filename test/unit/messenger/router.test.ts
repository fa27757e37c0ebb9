import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Destination, Endpoint } from "../../../src/messenger/frame.ts";
import { route, type Seat } from "../../../src/messenger/router.ts";

const MASTER = 1;
const AGENT: Seat = { role: "agent", pid: 10, isReady: true };
const WORKERS: readonly Seat[] = [
  { role: "worker", pid: 20, isReady: true },
  { role: "worker", pid: 21, isReady: false },
  { role: "worker", pid: 22, isReady: true },
];

/** Who gets it, as "app 20 21". */
function receivers(
  from: Endpoint,
  to: Destination,
  more: { receiver?: number; sender?: Seat; random?: number; children?: readonly Seat[] } = {},
): string[] {
  const { receiver = 0, sender = null, random = 0, children = [AGENT, ...WORKERS] } = more;
  const routed = route({ from, to, receiver }, sender, { masterPid: MASTER, children }, random);
  return routed.map(({ to, children }) => [to, ...children.map(({ pid }) => pid)].join(" "));
}

describe("a letter", () => {
  it("goes to the counterpart when it says nothing else", () => {
    assert.deepEqual(receivers("agent", "usual"), ["app 20 21 22"]);
    assert.deepEqual(receivers("app", "usual"), ["agent 10"]);
    assert.deepEqual(receivers("parent", "usual"), ["master"]);
  });

  it("goes there whatever the children are listed in", () => {
    const children = new Map([AGENT, ...WORKERS].map((seat) => [seat.pid, seat])).values();
    const [routed] = route({ from: "agent", to: "usual", receiver: 0 }, null, { masterPid: MASTER, children }, 0);
    assert.equal(routed?.children.length, 3);
  });

  it("goes where it says, whoever sends it", () => {
    for (const from of ["parent", "agent", "app"] as const) {
      assert.deepEqual(receivers(from, "app"), ["app 20 21 22"]);
      assert.deepEqual(receivers(from, "agent"), ["agent 10"]);
      assert.deepEqual(receivers(from, "master"), ["master"]);
      assert.deepEqual(receivers(from, "parent"), ["parent"]);
      assert.deepEqual(receivers(from, "everybody"), ["agent 10", "app 20 21 22"]);
    }
  });

  it("goes to a receiver's pid before anything else", () => {
    assert.deepEqual(receivers("agent", "agent", { receiver: 21 }), ["app 21"]);
    assert.deepEqual(receivers("app", "app", { receiver: 10 }), ["agent 10"]);
    assert.deepEqual(receivers("agent", "app", { receiver: MASTER }), ["master"]);
    assert.deepEqual(receivers("agent", "app", { receiver: 99 }), ["app"]);
  });

  it("to any worker goes to one that is ready", () => {
    const picked = [0, 0.49, 0.5, 0.999].map((random) => receivers("agent", "any-app", { random }));
    assert.deepEqual(picked, [["app 20"], ["app 20"], ["app 22"], ["app 22"]]);
    assert.deepEqual(receivers("agent", "any-app", { children: [AGENT] }), ["app"]);
  });

  it("to siblings leaves out the sender", () => {
    assert.deepEqual(receivers("app", "siblings", { sender: WORKERS[0] as Seat }), ["app 21 22"]);
    assert.deepEqual(receivers("agent", "siblings", { sender: AGENT }), ["app 20 21 22"]);
  });

  it("goes to the agent that serves while one takes over from another, and to the one that boots when there is no other", () => {
    const next: Seat = { role: "agent", pid: 11, isReady: false };
    assert.deepEqual(receivers("app", "agent", { children: [AGENT, next] }), ["agent 10"]);
    assert.deepEqual(receivers("app", "agent", { children: [next] }), ["agent 11"]);
    assert.deepEqual(receivers("app", "agent", { children: WORKERS }), ["agent"]);
    assert.deepEqual(receivers("app", "everybody", { children: WORKERS }), ["app 20 21 22"], "there is no agent to miss");
  });
});
