import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  bodyOf,
  DESTINATIONS,
  ENDPOINTS,
  type Envelope,
  encodingOf,
  envelopeOf,
  FrameReader,
  fromOf,
  KINDS,
  MAX_FRAME_BYTES,
  senderOf,
  spareRoom,
  stamp,
  writeFrame,
} from "../../../src/messenger/frame.ts";

const ENVELOPE: Envelope = { to: "app", kind: "letter", receiver: 0, question: 0, action: "hello" };
const BODY = Buffer.from("the body");

interface Read {
  readonly frames: readonly Buffer[];
  readonly isWhole: boolean;
}

/** What comes of these bytes when they arrive in pieces of a size. */
function read(bytes: Buffer, size: number = bytes.length): Read {
  const frames: Buffer[] = [];
  const reader = new FrameReader((frame) => frames.push(Buffer.from(frame)));
  let isWhole = true;
  for (let at = 0; at < bytes.length && isWhole; at += size) isWhole = reader.push(Buffer.from(bytes.subarray(at, at + size)));
  return { frames, isWhole };
}

describe("a frame", () => {
  it("keeps whatever is written into it", () => {
    for (const to of DESTINATIONS) {
      for (const kind of KINDS) {
        const envelope: Envelope = { to, kind, receiver: 4_194_304, question: 7, action: "größe 你好" };
        const frame = writeFrame(envelope, "v8", BODY);
        assert.deepEqual(envelopeOf(frame), envelope);
        assert.equal(encodingOf(frame), "v8");
        assert.deepEqual(bodyOf(frame), BODY);
      }
    }
  });

  it("says what the master has stamped on it", () => {
    const frame = writeFrame(ENVELOPE, "none", new Uint8Array());
    for (const from of ENDPOINTS) {
      stamp(frame, from, 99_999);
      assert.deepEqual([fromOf(frame), senderOf(frame)], [from, 99_999]);
    }
    assert.deepEqual(envelopeOf(frame), ENVELOPE);
  });

  it("refuses an action or a body that is too long, and says what to do", () => {
    assert.throws(
      () => writeFrame({ ...ENVELOPE, action: "x".repeat(1_025) }, "none", BODY),
      /at most 1024 bytes, got 1025; put what is long into the data/,
    );
    assert.throws(
      () => writeFrame(ENVELOPE, "v8", Buffer.alloc(MAX_FRAME_BYTES)),
      /expected a message of at most 16777216 bytes, got 16777245/,
    );
  });
});

describe("the room for a frame", () => {
  it("is the same for one after the other, and one of its own for a frame that is longer", () => {
    const room = spareRoom();
    const [first, second] = [writeFrame(ENVELOPE, "v8", BODY, room), writeFrame(ENVELOPE, "v8", BODY, room)];
    assert.equal(second.buffer, first.buffer);
    assert.deepEqual(second, writeFrame(ENVELOPE, "v8", BODY));
    const long = Buffer.alloc(64 * 1024, "x");
    const frame = writeFrame(ENVELOPE, "v8", long, room);
    assert.notEqual(frame.buffer, first.buffer);
    assert.deepEqual(bodyOf(frame), long);
  });
});

describe("the reader of frames", () => {
  const several = ["", "short", "x".repeat(200)].map((text, index) =>
    writeFrame({ ...ENVELOPE, question: index }, "json", Buffer.from(text)),
  );

  it("finds the same frames however the bytes are cut", () => {
    for (let size = 1; size <= Buffer.concat(several).length; size++) {
      const { frames, isWhole } = read(Buffer.concat(several), size);
      assert.ok(isWhole);
      assert.deepEqual(frames, several, `in pieces of ${size}`);
    }
  });

  it("gives up on bytes that are no frames, whole or in pieces, and on a frame that is too long", () => {
    const tooLong = Buffer.from(several[0] as Buffer);
    tooLong.writeUInt32LE(MAX_FRAME_BYTES + 1, 0);
    const wrong = [
      Buffer.from("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"),
      Buffer.alloc(100),
      tooLong,
      ...[4, 5, 6, 7].map((at) => {
        const frame = Buffer.from(several[1] as Buffer);
        frame[at] = 200;
        return frame;
      }),
      Buffer.from(several[1] as Buffer).fill(255, 20, 24),
    ];
    for (const [index, bytes] of wrong.entries()) {
      for (const size of [1, bytes.length]) {
        const { frames, isWhole } = read(bytes, size);
        assert.deepEqual([frames, isWhole], [[], false], `${index} in pieces of ${size}`);
      }
    }
  });
});
