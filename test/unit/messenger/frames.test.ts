// Messages come out of a stream as they went in, however it is cut; what is no message is told of, bounded, and passed over.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serialize, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type FrameReader, lengthReader, lineReader } from "../../../src/messenger/frames.ts";

const MAX_BYTES = 1_000;
const MESSAGES: readonly unknown[] = [{ action: "a" }, "text with \u00e9 and \u{1f600}", 7, null, [1, [2]], { long: "x".repeat(900) }];

function frame(body: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

const FORMS = [
  {
    name: "lines",
    make: lineReader,
    good: (message: unknown) => Buffer.from(`${JSON.stringify(message)}\n`),
    long: Buffer.from(`${"y".repeat(MAX_BYTES + 1)}\n`),
    junk: [Buffer.from("{]\n"), Buffer.from([0xff, 0xfe, 0x0a])],
  },
  {
    name: "lengths",
    make: lengthReader,
    good: (message: unknown) => frame(serialize(message)),
    long: frame(Buffer.alloc(MAX_BYTES + 1, 255)),
    junk: [frame(Buffer.from("junk")), frame(Buffer.alloc(0))],
  },
] as const;

for (const { name, make, good, long, junk } of FORMS) {
  describe(`messages by ${name}`, () => {
    function reader(): { reader: FrameReader; messages: unknown[]; problems: string[] } {
      const messages: unknown[] = [];
      const problems: string[] = [];
      return {
        reader: make(MAX_BYTES, { onMessage: (each) => messages.push(each), onJunk: (each) => problems.push(each) }),
        messages,
        problems,
      };
    }

    for (const size of [1, 2, 3, 5, 7, 64, 1_000, 1_000_000]) {
      it(`come whole from pieces of ${size} bytes, with junk and what is too long between them`, () => {
        const parts = MESSAGES.flatMap((message, index) => [
          good(message),
          ...(index === 1 ? [...junk, long] : []),
          ...(index === 3 ? [long, long] : []),
        ]);
        const stream = Buffer.concat(parts);
        const { reader: it, messages, problems } = reader();
        for (let from = 0; from < stream.length; from += size) it.push(stream.subarray(from, from + size));
        assert.deepEqual(messages, MESSAGES);
        assert.equal(problems.length, junk.length + 3, problems.join("\n"));
        assert.equal(problems.filter((each) => each.includes(`more than ${MAX_BYTES}`)).length, 3);
      });
    }

    it("keep nothing of the memory that they were read into", () => {
      const { reader: it, messages } = reader();
      const bytes = Buffer.from(good({ kept: "yes" }));
      const piece = Buffer.alloc(4);
      for (let from = 0; from < bytes.length; from += 4) {
        const length = bytes.copy(piece, 0, from, from + 4);
        it.push(piece.subarray(0, length));
        piece.fill(0);
      }
      assert.deepEqual(messages, [{ kept: "yes" }]);
    });
  });
}

it("a length near 4 GiB is skipped without being kept", () => {
  const problems: string[] = [];
  const reader = lengthReader(MAX_BYTES, { onMessage: () => assert.fail("a message"), onJunk: (each) => problems.push(each) });
  reader.push(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  const piece = Buffer.alloc(1024 * 1024);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 64; i++) reader.push(piece);
  assert.equal(problems.length, 1);
  assert.ok(process.memoryUsage().arrayBuffers - before < 10 * piece.length);
});

for (const [name, make, begin] of [
  ["lines", lineReader, Buffer.from('"')],
  ["lengths", lengthReader, Buffer.from([0, 15, 0, 0])],
] as const) {
  it(`what is written byte by byte costs little more than its bytes (${name})`, () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const reader = make(16 * 1024 * 1024, { onMessage: () => assert.fail("a message"), onJunk: assert.fail });
    reader.push(begin);
    collect();
    const before = usedBytes();
    for (let bytes = 0; bytes < 300_000; bytes++) reader.push(Buffer.from("x"));
    collect();
    const grown = usedBytes() - before;
    assert.ok(grown < 5_000_000, `${grown} bytes for 300,000`);
    reader.push(Buffer.alloc(1));
  });
}

function usedBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
