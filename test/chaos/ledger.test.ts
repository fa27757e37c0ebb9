// The chaos is only as good as its ledger: what it forgives, and what it does not. And the plan of a round is its seed's alone.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { describe, test } from "node:test";
import { hasSs } from "../helpers/victims.ts";
import { DEEDS_TO_THE_AGENT } from "./deeds-to-the-agent.ts";
import { acceptedBy, Ledger, type Loss } from "./ledger.ts";
import { drawPlan } from "./plan.ts";

const PEER = "127.0.0.2:40000";
const IDLE_MS = 1_000;

/** A loss at 150 on a connection that was opened at 100 and used once before. */
const loss = (change: Partial<Loss> = {}): Loss => ({
  ...{ client: "keep-alive", peer: PEER, openedAt: 100, previousAt: 120, sentAt: 140, lostAt: 150, why: "ECONNRESET" },
  ...change,
});

function ledgerWith(write: (ledger: Ledger) => void): Ledger {
  const ledger = new Ledger(IDLE_MS);
  write(ledger);
  return ledger;
}

describe("the ledger", () => {
  test("forgives what a victim had accepted, however late the client hears of it", () => {
    const ledger = ledgerWith((it) => it.noteVictim(new Set([PEER]), 130));
    assert.notEqual(ledger.explain(loss()), null);
    assert.notEqual(ledger.explain(loss({ lostAt: 1e6 })), null);
  });

  test("forgives no connection of somebody else, none that was opened later with the same port, and none that was lost before", () => {
    const ledger = ledgerWith((it) => it.noteVictim(new Set([PEER]), 130));
    assert.equal(ledger.explain(loss({ peer: "127.0.0.3:40000" })), null);
    assert.equal(ledger.explain(loss({ openedAt: 131 })), null);
    assert.equal(ledger.explain(loss({ lostAt: 129 })), null);
    assert.equal(ledger.explain(loss({ peer: null })), null);
  });

  test("forgives a client that came later than the idle allowance, and no other", () => {
    const ledger = new Ledger(IDLE_MS);
    assert.notEqual(ledger.explain(loss({ sentAt: 120 + IDLE_MS, lostAt: 2_000 })), null);
    assert.equal(ledger.explain(loss({ sentAt: 119 + IDLE_MS, lostAt: 2_000 })), null);
    assert.equal(ledger.explain(loss({ previousAt: null, sentAt: 120 + IDLE_MS, lostAt: 2_000 })), null);
  });

  test("forgives only new connections while a worker has no descriptors", () => {
    const ledger = ledgerWith((it) => it.noteExhaustion(130, 145));
    assert.notEqual(ledger.explain(loss({ previousAt: null })), null);
    assert.equal(ledger.explain(loss()), null);
    assert.equal(ledger.explain(loss({ previousAt: null, sentAt: 146 })), null);
    assert.equal(ledger.explain(loss({ previousAt: null, sentAt: 110, lostAt: 129 })), null);
  });

  test("tells accepted connections from those that wait in a queue", { skip: !hasSs && "needs ss" }, async (t) => {
    const server = net.createServer();
    server.listen(0);
    await once(server, "listening");
    t.after(() => void server.close());
    const { port } = server.address() as net.AddressInfo;
    const connect = async (): Promise<net.Socket> => {
      const socket = net.connect({ port, host: "127.0.0.1", localAddress: "127.0.0.7" });
      t.after(() => socket.destroy());
      await once(socket, "connect");
      return socket;
    };
    const accepted = once(server, "connection");
    const first = await connect();
    const [mine] = (await accepted) as [net.Socket];
    t.after(() => mine.destroy());
    assert.deepEqual([...acceptedBy(process.pid, port)], [`127.0.0.7:${first.localPort}`]);
    assert.deepEqual([...acceptedBy(1, port)], []);
    // The kernel connects at once, and this process accepts nothing before it turns to its event loop again.
    const waiting = net.connect({ port, host: "127.0.0.1", localAddress: "127.0.0.8" });
    t.after(() => waiting.destroy());
    assert.deepEqual([...acceptedBy(process.pid, port)], [`127.0.0.7:${first.localPort}`]);
    const [later] = (await once(server, "connection")) as [net.Socket];
    t.after(() => later.destroy());
    assert.equal(acceptedBy(process.pid, port).size, 2);
  });
});

test("a seed gives the same plan again, and another seed another one", () => {
  const deeds = ["kill", "stop", "reload", "scale"].map((name, index) => ({ name, weight: index + 1 }));
  const endings = [{ name: "TERM", weight: 1 }];
  assert.deepEqual(drawPlan(7, deeds, endings), drawPlan(7, deeds, endings));
  assert.notDeepEqual(drawPlan(7, deeds, endings), drawPlan(8, deeds, endings));
  const never = drawPlan(7, [...deeds, { name: "never", weight: 1_000, isFor: () => false }], endings);
  assert.ok(never.steps.every(({ deed }) => deed.name !== "never"));
});

test("half of the rounds have no agent; nobody signals one that is a thread, whose pid is the master's", () => {
  const deeds = [{ name: "nothing", weight: 1 }, ...DEEDS_TO_THE_AGENT];
  const plans = Array.from({ length: 1_000 }, (_, seed) => drawPlan(seed, deeds, [{ name: "TERM", weight: 1 }]));
  const drawnFor = (kind: "process" | "thread" | null): readonly string[] =>
    plans.filter(({ ground }) => ground.agent === kind).flatMap(({ steps }) => steps.map(({ deed }) => deed.name));
  const shares = (["process", "thread", null] as const).map((kind) => plans.filter(({ ground }) => ground.agent === kind).length / 1_000);
  assert.deepEqual(
    shares.map((share) => Math.round(share * 20) / 20),
    [0.25, 0.25, 0.5],
    String(shares),
  );
  assert.deepEqual(new Set(drawnFor(null)), new Set(["nothing"]));
  assert.equal(new Set(drawnFor("process")).size, deeds.length);
  const signals = /^(kill -9|SIGSTOP) of the agent/;
  assert.ok(drawnFor("process").some((each) => signals.test(each)));
  assert.ok(!drawnFor("thread").some((each) => signals.test(each)));
});
