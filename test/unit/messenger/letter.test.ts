import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stamp } from "../../../src/messenger/frame.ts";
import { readLetter, readRawLetter, writeBody, writeLetter } from "../../../src/messenger/letter.ts";

describe("egg's form", () => {
  it("is told from everything else", () => {
    for (const other of [null, undefined, 0, "ready", [], {}, { action: 1 }, { type: "ready" }, () => {}])
      assert.equal(readRawLetter(other), null);
    assert.deepEqual(readRawLetter({ action: "a" }), { action: "a", data: undefined, to: "usual", receiver: 0 });
    assert.deepEqual(readRawLetter({ action: "a", data: 1, to: "app" }), { action: "a", data: 1, to: "app", receiver: 0 });
  });

  it("takes a destination that there is not for none", () => {
    for (const to of ["nobody", 1, null, "siblings", "everybody"]) assert.equal(readRawLetter({ action: "a", to })?.to, "usual");
  });

  it("takes a pid as a string or a number, the worker's id first, and what is no pid for one that nobody has", () => {
    assert.equal(readRawLetter({ action: "a", receiverPid: "12" })?.receiver, 12);
    assert.equal(readRawLetter({ action: "a", receiverPid: 12 })?.receiver, 12);
    assert.equal(readRawLetter({ action: "a", receiverPid: "12", receiverWorkerId: "13" })?.receiver, 13);
    for (const wrong of ["", "x", -1, 1.5, 2 ** 32, Number.NaN, {}])
      assert.equal(readRawLetter({ action: "a", receiverPid: wrong })?.receiver, 0xffff_ffff);
  });
});

describe("a letter", () => {
  it("arrives with what was sent", () => {
    const data = { map: new Map([[1, new Date(0)]]), bytes: Buffer.from("x"), big: 1n };
    const frame = writeLetter({ action: "a", data, to: "usual", receiver: 5 }, "v8");
    stamp(frame, "agent", 9);
    assert.deepEqual(readLetter(frame), { action: "a", data, from: "agent", senderWorkerId: "9", receiverPid: "5" });
  });

  it("leaves nothing of what was sent in the memory that the frame was read from", () => {
    const bytes = Buffer.from("a Buffer that is no part of any other");
    const views = [new Float64Array([1, 2]), new Uint16Array([3]), new DataView(new ArrayBuffer(3)), new BigInt64Array([4n])];
    // At every place of a word: what V8 does depends on it.
    for (let shift = 0; shift < 8; shift++) {
      const data = { bytes, views, text: "x".repeat(shift) };
      const written = writeLetter({ action: "a", data, to: "usual", receiver: 0 }, "v8");
      const memory = Buffer.alloc(shift + written.length);
      written.copy(memory, shift);
      const read = readLetter(memory.subarray(shift)).data;
      memory.fill(255);
      assert.deepEqual(read, data);
    }
  });

  it("through JSON arrives as JSON has it, and nothing as nothing", () => {
    for (const [data, expected] of [
      [{ at: new Date(0), f: () => {} }, { at: "1970-01-01T00:00:00.000Z" }],
      [null, null],
    ] as const) {
      assert.deepEqual(readLetter(writeLetter({ action: "a", data, to: "usual", receiver: 0 }, "json")), {
        action: "a",
        data: expected,
        from: "parent",
      });
    }
    for (const encoding of ["json", "v8"] as const)
      assert.deepEqual(readLetter(writeLetter({ action: "a", data: undefined, to: "usual", receiver: 0 }, encoding)), {
        action: "a",
        from: "parent",
      });
  });

  it("cannot hold a function, and says so", () => {
    assert.throws(
      () => writeBody({ f() {} }, "v8"),
      /^TypeError: messenger: expected data that can be cloned, so without functions and the like: f\(\) \{\} could not be cloned/,
    );
  });
});
