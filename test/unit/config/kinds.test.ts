// The kinds of values that are Rollcall's own: workers, ready-when, lists, environment.

import assert from "node:assert/strict";
import { test } from "node:test";

import { environment, listOf, memory, orOff, readyWhen, workers } from "../../../src/config/kinds.ts";
import { count, port } from "../../../src/config/values.ts";

test("reads workers as auto, a number or a share of the CPUs", () => {
  const cases = [
    ["auto", { kind: "auto" }, "auto"],
    ["1", { kind: "count", count: 1 }, "1"],
    [1_024, { kind: "count", count: 1_024 }, "1024"],
    ["50%", { kind: "share", share: 0.5 }, "50%"],
    ["200%", { kind: "share", share: 2 }, "200%"],
  ] as const;
  for (const [raw, value, shown] of cases) {
    assert.deepEqual(workers.parse(raw), { ok: true, value });
    assert.equal(workers.format(value), shown);
  }
});

test("refuses 0, too many and half a worker with the range in the message", () => {
  for (const raw of ["0", 0, "10000", "1025", "-1", "1.5", 0.5, "0%", "2000%", "", "many", null]) {
    const parsed = workers.parse(raw);
    assert.ok(!parsed.ok, `for ${JSON.stringify(raw)}`);
    assert.match(parsed.problem, /^expected auto, a whole number from 1 to 1024, or a percentage of the CPUs such as 50%; got /);
  }
});

test("reads ready-when as a word or an HTTP path", () => {
  for (const raw of ["listening", "loaded", "message", "/", "/healthz?deep=1"])
    assert.deepEqual(readyWhen.parse(raw), { ok: true, value: raw });
  assert.deepEqual(readyWhen.parse("listenning"), {
    ok: false,
    problem: 'expected listening, loaded, message or an HTTP path such as /healthz; got "listenning"; did you mean "listening"?',
  });
  for (const raw of ["healthz", "/a b", "/a\r\nX: y", "", 5]) assert.equal(readyWhen.parse(raw).ok, false, `for ${JSON.stringify(raw)}`);
});

test("reads a limit of memory as auto, off or a size", () => {
  const cases = [
    ["auto", { kind: "auto" }, "auto"],
    ["off", { kind: "off" }, "off"],
    ["300MiB", { kind: "size", bytes: 300 * 2 ** 20 }, "300MiB"],
  ] as const;
  for (const [raw, value, shown] of cases) {
    assert.deepEqual(memory.parse(raw), { ok: true, value });
    assert.equal(memory.format(value), shown);
  }
  assert.deepEqual(memory.parse("of"), {
    ok: false,
    problem: 'expected auto, off, or a size from 1MiB, such as 512MiB; got "of"; did you mean "off"?',
  });
});

test("reads a value that may be off", () => {
  const requests = orOff(count(1, 10));
  assert.equal(requests.placeholder, "<off|n>");
  for (const [raw, value] of [
    ["off", "off"],
    ["5", 5],
  ] as const) {
    assert.deepEqual(requests.parse(raw), { ok: true, value });
    assert.equal(requests.format(value), raw);
  }
  assert.deepEqual(requests.parse("0"), { ok: false, problem: 'expected off or a whole number from 1 to 10; got "0"' });
});

test("reads lists of values and single ones", () => {
  const ports = listOf(port);
  assert.deepEqual(ports.parse(["80", 81]), { ok: true, value: [80, 81] });
  assert.deepEqual(ports.parse(80), { ok: true, value: [80] });
  assert.deepEqual(ports.parse([]), { ok: true, value: [] });
  assert.deepEqual(ports.parse(["80", "x"]), { ok: false, problem: 'expected a port from 0 to 65535; got "x"' });
  assert.equal(ports.format([80, 81]), "80, 81");
});

test("reads environment pairs and maps", () => {
  assert.deepEqual(environment.parse(["A=1", "B=x=y", "C="]), { ok: true, value: { A: "1", B: "x=y", C: "" } });
  assert.deepEqual(environment.parse({ A: 1, B: true, C: "x" }), { ok: true, value: { A: "1", B: "true", C: "x" } });
});

test("never shows a value of the environment", () => {
  assert.equal(environment.format({ TOKEN: "hunter2" }), "TOKEN (values not shown)");
  for (const raw of [["1X=hunter2"], ["=hunter2"], { T: ["hunter2"] }, { T: null }, { T: "hunter2\0" }, { "a b": "hunter2" }]) {
    const parsed = environment.parse(raw);
    assert.ok(!parsed.ok, `for ${JSON.stringify(raw)}`);
    assert.doesNotMatch(parsed.problem, /hunter2/);
  }
  assert.deepEqual(environment.parse(["NAME"]), { ok: false, problem: 'expected NAME=value; got "NAME"' });
});
