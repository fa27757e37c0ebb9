import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deserialize, serialize } from "node:v8";
import { isPlain } from "../../../src/messenger/plain.ts";

const twice = {};
const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;

const PLAIN: readonly unknown[] = [
  null,
  0,
  -1.5,
  1e300,
  "text",
  "größe \u{1f600} \ud800",
  true,
  [],
  [1, [2, "x"], null],
  {},
  { a: { b: [{ c: "d" }] }, "": 0 },
  JSON.parse('{"__proto__": 1}'),
];

const OTHERS: readonly unknown[] = [
  undefined,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1n,
  () => {},
  Symbol("x"),
  new Date(0),
  new Map(),
  /x/,
  Buffer.from("x"),
  Object.create(null),
  [1, undefined],
  new Array(3),
  Object.assign([1], { name: 1 }),
  { a: undefined },
  { toJSON: () => 1 },
  [twice, twice],
  cyclic,
  "x".repeat(1_025),
  { ["x".repeat(1_025)]: 1 },
  Array.from({ length: 65 }, () => 1),
];

describe("plain data", () => {
  it("come out of JSON as out of a clone", () => {
    for (const data of PLAIN) {
      assert.ok(isPlain(data), String(data));
      assert.deepEqual(JSON.parse(JSON.stringify(data)), deserialize(serialize(data)));
    }
  });

  it("are told without a look at the keys of a Buffer or of a long array: each byte would be one", () => {
    const noKeys = {
      ownKeys(): never {
        throw new Error("looked at the keys");
      },
    };
    for (const data of [Buffer.alloc(10), new Float64Array(10), Array(65).fill(1)]) assert.equal(isPlain(new Proxy(data, noKeys)), false);
  });

  it("are told from those that JSON loses something of, and from large ones", () => {
    for (const [index, data] of OTHERS.entries()) assert.equal(isPlain(data), false, `number ${index}`);
  });
});
