// The border between the master and what children send: every good message comes in, nothing else does, whoever made it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BRAND, type ChildToMaster, isSealed, openFromChild, openFromMaster, seal } from "../../../src/messenger/wire.ts";
import { FAULT, SAMPLE } from "../../helpers/story.ts";

const GOOD: readonly ChildToMaster[] = [
  { type: "ready" },
  { type: "closed" },
  { type: "idle" },
  { type: "listening", address: "::", port: 8_080, expected: true, scheme: "https" },
  { type: "health", name: "db", reason: "connection refused" },
  { type: "health", name: "db", reason: null },
  { type: "listening", address: "/tmp/app.sock", port: null, expected: false, scheme: "tcp" },
  { type: "beat", sample: SAMPLE },
  { type: "beat", sample: { ...SAMPLE, requests: 0, utilization: 0, cpuSeconds: 0.25 } },
  { type: "fault", fault: FAULT, survived: true },
  { type: "fault", fault: { ...FAULT, code: "EADDRINUSE", port: 80 }, survived: false },
  { type: "cut", by: "deadline", requests: 3, connections: 4, hooks: true },
  { type: "cut", by: "app", requests: 1, connections: 1, hooks: false },
  { type: "lodged", queue: 1, port: 3_000, host: "::1" },
  { type: "locked", port: 3_000 },
  { type: "opened", port: 3_000, host: null },
  { type: "shut", port: 3_000, host: "127.0.0.1" },
  { type: "reopened", port: 3_000, host: null },
  { type: "spare", id: 1, port: 3_000, host: null, count: 3 },
  { type: "wants", id: 1, isWanted: true, count: 0 },
  { type: "keeps", id: 1 },
  { type: "yields", id: 1, port: 3_000, host: "::1", taker: 2 },
];

/** Numbers that are no amounts: as they are in memory, and as JSON lets them through. */
const BAD_NUMBERS: readonly unknown[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -1,
  1e308,
  "1",
  null,
  undefined,
  true,
  {},
  [],
  [1],
  1n,
  () => 1,
];

function refuse(raw: unknown, why: string): void {
  assert.equal(openFromChild(raw), null, why);
}

describe("openFromChild accepts", () => {
  for (const message of GOOD) {
    it(`${JSON.stringify(message).slice(0, 60)}, as it is and over the channel`, () => {
      assert.deepEqual(openFromChild(seal(message)), message);
      assert.deepEqual(openFromChild(JSON.parse(JSON.stringify(seal(message)))), message);
    });
  }

  it("only what it knows: other keys stay outside", () => {
    const raw = { ...seal({ type: "beat", sample: SAMPLE }), life: 7, role: "master", sample: { ...SAMPLE, pid: 1 } };
    assert.deepEqual(openFromChild(raw), { type: "beat", sample: SAMPLE });
    assert.deepEqual(openFromChild({ ...seal({ type: "ready" }), sample: SAMPLE }), { type: "ready" });
  });

  it("a new object each time, nothing of the sender's", () => {
    const raw = seal({ type: "beat", sample: SAMPLE });
    const opened = openFromChild(raw);
    assert.ok(opened?.type === "beat");
    assert.notEqual(opened.sample, raw.sample);
  });
});

describe("openFromChild refuses", () => {
  it("junk of every kind", () => {
    const junk: unknown[] = [
      undefined,
      null,
      true,
      0,
      1,
      Number.NaN,
      "",
      "ready",
      BRAND,
      1n,
      Symbol("x"),
      () => {},
      {},
      [],
      [BRAND],
      new Map(),
      new Date(),
      Buffer.from("x"),
    ];
    for (const raw of junk) refuse(raw, String(raw));
  });

  it("messages without the brand, or with another one", () => {
    for (const message of GOOD) {
      refuse(message, message.type);
      for (const rollcall of ["rollcall/2", "rollcall", "", 1, true, null, [BRAND], { toString: () => BRAND }])
        refuse({ ...message, rollcall }, String(rollcall));
    }
  });

  it("the app's own messages and those of Node's cluster and of egg", () => {
    refuse({ cmd: "NODE_CLUSTER", act: "listening" }, "cluster");
    refuse({ action: "egg-ready", data: {}, from: "master", to: "app" }, "egg");
    refuse("graceful-shutdown", "pm2");
  });

  it("types that it does not know, and those of the master", () => {
    const types = [
      undefined,
      null,
      1,
      "",
      "READY",
      "drain",
      "exit",
      "kill",
      "__proto__",
      "constructor",
      "toString",
      ["ready"],
      { toString: () => "ready" },
    ];
    for (const type of types) refuse({ rollcall: BRAND, type }, String(type));
  });

  it("a beat with any number that is none", () => {
    for (const key of Object.keys(SAMPLE)) {
      for (const bad of BAD_NUMBERS) refuse({ rollcall: BRAND, type: "beat", sample: { ...SAMPLE, [key]: bad } }, `${key}: ${String(bad)}`);
      const sample: Record<string, unknown> = { ...SAMPLE };
      delete sample[key];
      refuse({ rollcall: BRAND, type: "beat", sample }, `${key} is missing`);
    }
    for (const sample of [undefined, null, 1, "x", [], [1, 2], {}]) refuse({ rollcall: BRAND, type: "beat", sample }, String(sample));
  });

  it("a listening without an address, on a port that is none, or by what nobody speaks", () => {
    for (const scheme of [undefined, null, "ftp", 1]) {
      refuse({ rollcall: BRAND, type: "listening", address: "::", port: 1, expected: true, scheme }, String(scheme));
    }
    for (const address of [undefined, null, 1, {}, []])
      refuse({ rollcall: BRAND, type: "listening", address, port: 1, expected: true, scheme: "http" }, String(address));
    for (const port of [...BAD_NUMBERS.filter((bad) => bad !== null), 1.5]) {
      refuse({ rollcall: BRAND, type: "listening", address: "::", port, expected: true, scheme: "http" }, String(port));
    }
  });

  it("a fault without its words", () => {
    for (const key of ["name", "message", "stack"]) {
      for (const bad of [undefined, null, 1, {}, ["x"]])
        refuse({ rollcall: BRAND, type: "fault", fault: { ...FAULT, [key]: bad }, survived: false }, key);
    }
    for (const fault of [undefined, null, 1, "x", []]) refuse({ rollcall: BRAND, type: "fault", fault, survived: false }, String(fault));
  });

  it("a port that is none, or a host that is no text", () => {
    for (const type of ["lodged", "opened", "shut", "reopened"]) {
      for (const port of [...BAD_NUMBERS, 1.5]) refuse({ rollcall: BRAND, type, queue: 0, port, host: null }, `${type} ${String(port)}`);
      for (const host of [undefined, 1, true, {}, [], "x".repeat(257)])
        refuse({ rollcall: BRAND, type, queue: 0, port: 1, host }, `${type} ${String(host)}`);
    }
  });

  it("a cut that counts what cannot be counted", () => {
    for (const bad of [...BAD_NUMBERS, 0.5]) {
      refuse({ rollcall: BRAND, type: "cut", requests: bad, connections: 1, hooks: false }, String(bad));
      refuse({ rollcall: BRAND, type: "cut", requests: 1, connections: bad, hooks: false }, String(bad));
    }
  });
});

describe("openFromChild bears", () => {
  it("huge texts: it keeps their beginning", () => {
    const huge = "x".repeat(5_000_000);
    const fault = openFromChild({
      rollcall: BRAND,
      type: "fault",
      fault: { name: huge, message: huge, stack: huge, code: huge, port: 1 },
      survived: false,
    });
    assert.ok(fault !== null && JSON.stringify(fault).length < 12_000);
    const listening = openFromChild({ rollcall: BRAND, type: "listening", address: huge, port: 1, expected: true, scheme: "http" });
    assert.ok(listening !== null && JSON.stringify(listening).length < 1_000);
  });

  it("doubtful extras of a fault: they become nothing", () => {
    for (const bad of [{}, [], 1, true]) {
      const opened = openFromChild({ rollcall: BRAND, type: "fault", fault: { ...FAULT, code: bad, port: "80" }, survived: "yes" });
      assert.deepEqual(opened, { type: "fault", fault: { ...FAULT, code: null, port: null }, survived: false });
    }
  });

  it("objects that contain themselves, and deep ones", () => {
    const round: Record<string, unknown> = { rollcall: BRAND, type: "beat" };
    round.sample = round;
    refuse(round, "round");
    const message: Record<string, unknown> = { ...seal({ type: "ready" }) };
    message.self = message;
    assert.deepEqual(openFromChild(message), { type: "ready" });
    let deep: unknown = SAMPLE;
    for (let depth = 0; depth < 10_000; depth++) deep = { sample: deep };
    refuse({ rollcall: BRAND, type: "beat", sample: deep }, "deep");
  });

  it("keys that would reach into prototypes", () => {
    const texts = [
      `{"rollcall":"${BRAND}","type":"ready","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`,
      `{"__proto__":{"rollcall":"${BRAND}","type":"ready"}}`,
      `{"rollcall":"${BRAND}","type":"beat","sample":{"__proto__":${JSON.stringify(SAMPLE)}}}`,
    ];
    const [ready, branded, sampled] = texts.map((text) => openFromChild(JSON.parse(text)));
    assert.deepEqual(ready, { type: "ready" });
    assert.equal(Object.getPrototypeOf(ready), Object.prototype);
    assert.equal(branded, null);
    assert.equal(sampled, null);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });
});

describe("openFromMaster", () => {
  it("accepts an order to drain, and nothing else", () => {
    const order = { type: "drain", budgetMs: 8_100, idleMs: 0, isLast: true } as const;
    assert.deepEqual(openFromMaster(JSON.parse(JSON.stringify(seal(order)))), order);
    for (const bad of BAD_NUMBERS) {
      assert.equal(openFromMaster({ rollcall: BRAND, ...order, budgetMs: bad }), null, String(bad));
      assert.equal(openFromMaster({ rollcall: BRAND, ...order, idleMs: bad }), null, String(bad));
    }
    assert.equal(openFromMaster({ rollcall: BRAND, ...order, isLast: 1 }), null);
    for (const raw of [null, undefined, "drain", [], order, { rollcall: BRAND, type: "ready" }]) assert.equal(openFromMaster(raw), null);
  });
});

describe("openFromMaster, of ports", () => {
  it("accepts orders for queues and for ports, and nothing that is not exactly one", () => {
    for (const type of ["adopt", "release"] as const) {
      const order = { type, queue: 2, port: 3_000, host: null, isBusy: type === "adopt" } as const;
      assert.deepEqual(openFromMaster(seal(order)), order);
      assert.equal(openFromMaster({ rollcall: BRAND, ...order, queue: -1 }), null);
    }
    for (const type of ["offered", "forget"] as const) {
      const order = { type, port: 3_000, host: "::1" } as const;
      assert.deepEqual(openFromMaster(seal(order)), order);
      assert.equal(openFromMaster({ rollcall: BRAND, ...order, port: "3000" }), null);
      assert.equal(openFromMaster({ rollcall: BRAND, ...order, host: 1 }), null);
    }
  });
});

describe("openFromMaster, of connections to spare", () => {
  it("accepts what is exactly right", () => {
    for (const order of [
      { type: "spared", id: 1, port: 3_000, host: null, below: 3 },
      { type: "wanted", id: 1, taker: 2 },
      { type: "wanted", id: 1, taker: null },
    ] as const) {
      assert.deepEqual(openFromMaster(seal(order)), order);
      for (const key of Object.keys(order)) assert.equal(openFromMaster({ rollcall: BRAND, ...order, [key]: 1.5 }), null, key);
    }
  });
});

describe("isSealed", () => {
  it("hides every branded message from the app, also a malformed one", () => {
    assert.ok(isSealed({ rollcall: BRAND }));
    assert.ok(isSealed(seal({ type: "ready" })));
    for (const raw of [null, undefined, 1, "x", {}, [], { rollcall: 1 }]) assert.ok(!isSealed(raw));
  });
});
