// The contract of the control socket: what is understood, and what is said about the rest.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, orderOf, parseAnswer, parseRequest, type Request } from "../../../src/messenger/control.ts";

const REQUESTS: readonly Request[] = [
  { command: "status" },
  { command: "reload", agent: true },
  { command: "scale", workers: 4, change: false },
  { command: "scale", workers: -1, change: true },
  { command: "restart", role: "agent", slot: 0 },
  { command: "restart", role: "worker", slot: 3 },
  { command: "drain" },
  { command: "undrain" },
  { command: "stop", fast: true },
];

test("understands every request that it writes", () => {
  for (const request of REQUESTS) assert.deepEqual(parseRequest(encode(request).trimEnd()), { ok: true, request });
});

test("takes what may be left out for no", () => {
  assert.deepEqual(parseRequest('{"rollcall":1,"command":"reload"}'), { ok: true, request: { command: "reload", agent: false } });
  assert.deepEqual(parseRequest('{"rollcall":1,"command":"stop"}'), { ok: true, request: { command: "stop", fast: false } });
});

test("says what is wrong with everything else", () => {
  const problems: readonly (readonly [line: string, problem: RegExp])[] = [
    ["", /expected a line of JSON/],
    ["GET / HTTP/1.1", /expected a line of JSON/],
    ["[1]", /expected a line of JSON/],
    ["null", /expected a line of JSON/],
    ['{"command":"status"}', /expected version 1 .* got nothing/],
    ['{"rollcall":2,"command":"status"}', /expected version 1 .* got 2/],
    ['{"rollcall":1}', /unknown command nothing; expected one of status, reload/],
    ['{"rollcall":1,"command":"explode"}', /unknown command "explode"/],
    ['{"rollcall":1,"command":"__proto__"}', /unknown command/],
    ['{"rollcall":1,"command":"reload","agent":"yes"}', /"agent" to be true or false/],
    ['{"rollcall":1,"command":"stop","fast":1}', /"fast" to be true or false/],
    ['{"rollcall":1,"command":"scale"}', /"workers" to be a whole number/],
    ['{"rollcall":1,"command":"scale","workers":1e9}', /from 1 to 1024/],
    ['{"rollcall":1,"command":"scale","workers":0}', /from 1 to 1024/],
    ['{"rollcall":1,"command":"restart","role":"worker"}', /"slot", a number/],
    ['{"rollcall":1,"command":"restart","role":"worker","slot":-1}', /"slot", a number/],
    [`{"rollcall":1,"command":"${"x".repeat(1_000)}"}`, /^unknown command "x{39}; expected/],
  ];
  for (const [line, problem] of problems) {
    const parsed = parseRequest(line);
    assert.ok(!parsed.ok, line);
    assert.match(parsed.problem, problem);
  }
});

test("turns requests into orders, a relative size by the target of the moment", () => {
  assert.deepEqual(
    REQUESTS.map((request) => orderOf(request, 3)),
    [
      null,
      { kind: "reload", agent: true },
      { kind: "scale", workers: 4 },
      { kind: "scale", workers: 2 },
      { kind: "restart", role: "agent", slot: 0 },
      { kind: "restart", role: "worker", slot: 3 },
      { kind: "maintain", on: true },
      { kind: "maintain", on: false },
      { kind: "stop", fast: true },
    ],
  );
});

test("reads answers of its own version only", () => {
  assert.equal(parseAnswer(encode({ event: "ended", exitCode: 0 }))?.event, "ended");
  for (const line of ["", "{}", '{"rollcall":2,"event":"done"}', '{"rollcall":1}']) assert.equal(parseAnswer(line), null);
});
