// The kinds of single values: what they take, what they refuse, and in which words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { count, duration, factor, host, type Kind, oneOf, port, ratio, size, text, toggle } from "../../../src/config/values.ts";

function takes<V>(kind: Kind<V>, raw: unknown, value: V): void {
  assert.deepEqual(kind.parse(raw), { ok: true, value }, `for ${JSON.stringify(raw)}`);
}

function refuses<V>(kind: Kind<V>, raw: unknown, problem: string): void {
  assert.deepEqual(kind.parse(raw), { ok: false, problem }, `for ${JSON.stringify(raw)}`);
}

test("reads durations in every unit", () => {
  const cases: readonly (readonly [unknown, number])[] = [
    ["5000", 5_000],
    [5_000, 5_000],
    ["500ms", 500],
    ["5s", 5_000],
    ["1.5s", 1_500],
    [".5s", 500],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["0", 0],
    [0, 0],
    ["576h", 2_073_600_000],
  ];
  for (const [raw, ms] of cases) takes(duration(0), raw, ms);
});

test("refuses what is no duration, and says what one looks like", () => {
  refuses(duration(0), "5 parsecs", 'expected a duration such as 500ms, 5s or 2m; got "5 parsecs"');
  for (const raw of ["", "5S", "-5s", "5s ", "1e3", "0x10", "s", "1.s", "Infinity", null, true, [], {}, -1, Number.NaN]) {
    assert.equal(duration(0).parse(raw).ok, false, `for ${JSON.stringify(raw)}`);
  }
});

test("asks whether a short duration without a unit is of seconds", () => {
  refuses(duration(1), "5", 'expected a duration with its unit, 5s or 5ms (a number alone is milliseconds); got "5"');
  refuses(duration(0), "99", 'expected a duration with its unit, 99s or 99ms (a number alone is milliseconds); got "99"');
  takes(duration(0), "5ms", 5);
  takes(duration(0), "100", 100);
  takes(duration(0), 5, 5);
});

test("refuses a duration that Node's timers would turn into none", () => {
  refuses(duration(1), "0", 'expected a duration from 1ms to 576h; got "0"');
  refuses(duration(0), "600h", 'expected a duration from 0 to 576h; got "600h"');
  refuses(duration(1), "0.1ms", 'expected a duration from 1ms to 576h; got "0.1ms"');
});

test("shows durations in the unit a person would use", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0"],
    [1, "1ms"],
    [500, "500ms"],
    [1_500, "1.5s"],
    [60_000, "60s"],
    [90_000, "90s"],
    [120_000, "2m"],
    [3_600_000, "1h"],
  ];
  for (const [ms, shown] of cases) {
    assert.equal(duration(0).format(ms), shown);
    takes(duration(0), shown, ms);
  }
});

test("reads counts in their range only", () => {
  takes(count(1, 10), "4", 4);
  takes(count(0, 10), 0, 0);
  for (const raw of ["0", "11", "1.5", "", " 4", "four", "0x4", "1e1", null, true, [4]]) {
    refuses(count(1, 10), raw, `expected a whole number from 1 to 10; got ${JSON.stringify(raw)}`);
  }
});

test("reads factors in their range only", () => {
  takes(factor(1, 100), "1.5", 1.5);
  takes(factor(1, 100), 2, 2);
  refuses(factor(1, 100), "0.5", 'expected a number from 1 to 100; got "0.5"');
  refuses(factor(1, 100), "x2", 'expected a number from 1 to 100; got "x2"');
});

test("reads a share as a percentage or a ratio", () => {
  takes(ratio, "10%", 0.1);
  takes(ratio, "0.1", 0.1);
  takes(ratio, 0.25, 0.25);
  takes(ratio, "100%", 1);
  takes(ratio, 0, 0);
  for (const raw of ["101%", "10", "-1%", "%", "", "ten", null]) {
    refuses(ratio, raw, `expected a percentage such as 10% or 0.1, at most 100%; got ${JSON.stringify(raw)}`);
  }
  assert.equal(ratio.format(0.07), "7%");
});

test("reads ports from 0 to 65535", () => {
  takes(port, "0", 0);
  takes(port, 65_535, 65_535);
  for (const raw of ["65536", "-1", "80.5", "http", "", "80,81", null, [80]]) {
    refuses(port, raw, `expected a port from 0 to 65535; got ${JSON.stringify(raw)}`);
  }
});

test("reads addresses and host names without a port", () => {
  for (const raw of ["127.0.0.1", "::", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "localhost", "my-host.internal"]) takes(host, raw, raw);
  for (const raw of ["", "http://x", "127.0.0.1:80", "[::]", "a b", 1, null])
    assert.equal(host.parse(raw).ok, false, `for ${JSON.stringify(raw)}`);
});

test("names the choices and the one that was probably meant", () => {
  const level = oneOf("<level>", "debug", "info", "warn");
  takes(level, "info", "info");
  refuses(level, "inof", 'expected debug, info or warn; got "inof"; did you mean "info"?');
  refuses(level, "WARN", 'expected debug, info or warn; got "WARN"; did you mean "warn"?');
  refuses(level, "verbose", 'expected debug, info or warn; got "verbose"');
  refuses(level, 3, "expected debug, info or warn; got 3");
});

test("takes any text but none, and cuts what it shows", () => {
  takes(text("<file>", "a path"), "a b", "a b");
  refuses(text("<file>", "a path"), "", 'expected a path; got ""');
  refuses(text("<file>", "a path"), 5, "expected a path; got 5");
  refuses(text("<file>", "a path"), ["x".repeat(200)], `expected a path; got ["${"x".repeat(75)}...`);
});

test("reads sizes in every unit, and shows them in the largest that is whole", () => {
  const cases: readonly (readonly [unknown, number, string])[] = [
    ["256MiB", 2 ** 28, "256MiB"],
    ["256m", 2 ** 28, "256MiB"],
    ["1.5GiB", 1.5 * 2 ** 30, "1536MiB"],
    ["2g", 2 ** 31, "2GiB"],
    ["500MB", 500_000_000, "500000000B"],
    [268_435_456, 2 ** 28, "256MiB"],
    ["1048577", 1_048_577, "1048577B"],
  ];
  for (const [raw, bytes, shown] of cases) {
    takes(size, raw, bytes);
    assert.equal(size.format(bytes), shown);
    takes(size, shown, bytes);
  }
});

test("refuses what is no size, and sizes that can only be a slip", () => {
  for (const raw of ["", "MiB", "-1MiB", "1 MiB", "5furlongs", "1e9", null, {}])
    assert.equal(size.parse(raw).ok, false, JSON.stringify(raw));
  refuses(size, "256", 'expected a size from 1MiB; got "256"');
  refuses(size, "lots", 'expected a size such as 256MiB or 2GiB; got "lots"');
});

test("reads what is on or off, from words and from JSON", () => {
  for (const raw of ["on", "true", "1", true]) takes(toggle, raw, true);
  for (const raw of ["off", "false", "0", false]) takes(toggle, raw, false);
  refuses(toggle, "onn", 'expected on or off; got "onn"; did you mean "on"?');
  refuses(toggle, 1, "expected on or off; got 1");
  assert.deepEqual([toggle.format(true), toggle.format(false)], ["on", "off"]);
});
