// Which client a request comes from: the hop that a trusted proxy wrote, and nothing that stands further left; and when enough is read to tell.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { forwardedFor, HEAD_BYTES, isDecided, isTls, plainAddress } from "../../../src/policy/forwarded.ts";

const head = (...lines: readonly string[]): string => ["GET /a HTTP/1.1", "Host: app", ...lines, "", ""].join("\r\n");

describe("the hop", () => {
  const CASES: readonly (readonly [what: string, lines: readonly string[], hop: number, expected: string | null])[] = [
    ["is the only one", ["X-Forwarded-For: 192.0.2.1"], 1, "192.0.2.1"],
    ["is the last one, not what the client claims", ["X-Forwarded-For: 203.0.113.9, 192.0.2.1"], 1, "192.0.2.1"],
    ["is the second from the right behind two proxies", ["X-Forwarded-For: 203.0.113.9, 192.0.2.1, 10.0.0.1"], 2, "192.0.2.1"],
    ["counts over several lines, in any case", ["x-forwarded-for: 192.0.2.1", "Accept: */*", "X-FORWARDED-FOR: 10.0.0.1"], 2, "192.0.2.1"],
    ["is the one furthest away where there are too few", ["X-Forwarded-For: 192.0.2.1, 10.0.0.1"], 5, "192.0.2.1"],
    ["has no port", ["X-Forwarded-For: 192.0.2.1:4711"], 1, "192.0.2.1"],
    ["has no port and no brackets", ["X-Forwarded-For: [2001:DB8::1]:4711"], 1, "2001:db8::1"],
    ["is IPv6 without brackets", ["X-Forwarded-For: 2001:db8::1"], 1, "2001:db8::1"],
    ["is IPv4 inside IPv6", ["X-Forwarded-For: ::ffff:192.0.2.1"], 1, "192.0.2.1"],
    ["leaves empty ones out", ["X-Forwarded-For: 192.0.2.1,, "], 1, "192.0.2.1"],
    ["is none without the line", ["X-Forwarded: 192.0.2.1", "Forwarded: for=192.0.2.1"], 1, null],
    ["is none of an empty line", ["X-Forwarded-For: "], 1, null],
  ];
  for (const [what, lines, hop, expected] of CASES) test(what, () => assert.equal(forwardedFor(head(...lines), hop), expected));

  test("is not read from the body", () => {
    assert.equal(forwardedFor(`${head()}X-Forwarded-For: 192.0.2.1\r\n`, 1), null);
  });

  test("is not read from the request line", () => {
    assert.equal(forwardedFor("x-forwarded-for: 192.0.2.1\r\n\r\n", 1), null);
  });

  test("is read from whole lines of a head without an end, not from one that is cut off", () => {
    assert.equal(forwardedFor("GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nCookie: a", 1), "192.0.2.1");
    assert.equal(forwardedFor("GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2", 1), null);
    assert.equal(forwardedFor("GET", 1), null);
    assert.equal(forwardedFor("", 1), null);
  });
});

describe("enough is read", () => {
  test("with the whole head, however it comes in", () => {
    const whole = `\r\n${head("X-Forwarded-For: 192.0.2.1")}`;
    for (let length = 0; length < whole.length; length++) assert.equal(isDecided(whole.slice(0, length)), false, `after ${length} bytes`);
    assert.equal(isDecided(whole), true);
    assert.equal(isDecided(`${whole}body`), true);
  });

  test("when it is more than a head may be", () => {
    const endless = `GET /${"a".repeat(HEAD_BYTES)}`;
    assert.equal(isDecided(endless.slice(0, HEAD_BYTES - 1)), false);
    assert.equal(isDecided(endless), true);
    assert.equal(isDecided("\r\n".repeat(HEAD_BYTES / 2)), true);
  });

  test("at once when it is no HTTP/1", () => {
    for (const text of ["\x16\x03\x01", "\0", "{", "220 mail", `${"A".repeat(40)}`]) assert.equal(isDecided(text), true, text);
    assert.equal(isTls("\x16\x03\x01"), true);
    assert.equal(isTls(head()), false);
  });

  test("with the preface of HTTP/2, which names nobody", () => {
    const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert.equal(isDecided(preface), true);
    assert.equal(forwardedFor(preface, 1), null);
  });
});

test("an IPv4 client is the same on a dual-stack socket", () => {
  assert.equal(plainAddress("::ffff:192.0.2.1"), "192.0.2.1");
  assert.equal(plainAddress("2001:db8::ffff:1"), "2001:db8::ffff:1");
  assert.equal(plainAddress("192.0.2.1"), "192.0.2.1");
});
