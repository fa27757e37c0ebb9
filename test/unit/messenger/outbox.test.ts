import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Outbox, type Pool, type Sink } from "../../../src/messenger/outbox.ts";

/** A stream that writes when it is told to. */
class SlowSink implements Sink {
  destroyed = false;
  readonly written: Buffer[] = [];
  #corked = 0;
  #done: (() => void)[] = [];

  cork(): void {
    this.#corked++;
  }

  uncork(): void {
    this.#corked--;
  }

  write(bytes: Uint8Array, callback: () => void): boolean {
    assert.equal(this.#corked, 1, "what is written together is one system call");
    this.written.push(Buffer.from(bytes));
    this.#done.push(callback);
    return true;
  }

  /** The receiver has read everything. @returns whether there was anything to read */
  drain(): boolean {
    const done = this.#done.splice(0);
    for (const callback of done) callback();
    return done.length > 0;
  }

  get text(): string {
    return Buffer.concat(this.written).toString();
  }
}

describe("an outbox", () => {
  it("keeps the order of small and large frames, whatever is written when", () => {
    const sink = new SlowSink();
    const outbox = new Outbox(sink, Number.POSITIVE_INFINITY);
    let expected = "";
    for (let round = 0; round < 300; round++) {
      const text = `${round}:`.padEnd((round * 7_919) % 30_000, String(round % 10));
      expected += text;
      assert.ok(outbox.push(Buffer.from(text)));
      if (round % 3 === 0) outbox.flush();
      if (round % 5 === 0) sink.drain();
    }
    outbox.flush();
    while (sink.drain());
    assert.equal(sink.text, expected);
    assert.equal(outbox.bytes, 0);
  });

  it("takes a copy: what becomes of the frame's memory is nothing to it", () => {
    for (const length of [5, 50_000]) {
      const sink = new SlowSink();
      const outbox = new Outbox(sink, 1_000_000);
      const frame = Buffer.alloc(length, "a");
      outbox.push(frame);
      frame.fill("b");
      outbox.flush();
      assert.equal(sink.text, "a".repeat(length));
    }
  });

  it("has one write under way, and all that came meanwhile in the next", () => {
    const sink = new SlowSink();
    const outbox = new Outbox(sink, 1_000);
    for (const letter of ["a", "b", "c"]) {
      outbox.push(Buffer.from(letter));
      outbox.flush();
    }
    assert.equal(sink.text, "a");
    sink.drain();
    assert.deepEqual(sink.written.map(String), ["a", "bc"]);
  });

  it("refuses what does not fit beside what nobody has read, but takes any one frame when it is empty", () => {
    const sink = new SlowSink();
    const outbox = new Outbox(sink, 100);
    assert.ok(outbox.push(Buffer.alloc(1_000)));
    outbox.flush();
    assert.equal(outbox.push(Buffer.from("x")), false);
    sink.drain();
    assert.ok(outbox.push(Buffer.alloc(60)));
    assert.ok(outbox.push(Buffer.alloc(40)));
    assert.equal(outbox.push(Buffer.from("x")), false);
  });

  it("refuses what does not fit beside what all others hold, and gives back what it held", () => {
    const pool: Pool = { bytes: 0, limitBytes: 100 };
    const sinks = [new SlowSink(), new SlowSink(), new SlowSink()];
    const [first, second, third] = sinks.map((sink) => new Outbox(sink, 80, pool)) as [Outbox, Outbox, Outbox];
    assert.ok(first.push(Buffer.alloc(60)));
    assert.ok(second.push(Buffer.alloc(30)));
    assert.equal(second.push(Buffer.alloc(30)), false);
    assert.ok(third.push(Buffer.alloc(30)), "it is empty");
    first.flush();
    first.discard();
    sinks[0]?.drain();
    assert.equal(pool.bytes, 60);
    assert.equal(first.push(Buffer.alloc(1)), false, "it is of no more use");
    second.flush();
    sinks[1]?.drain();
    assert.equal(pool.bytes, 30);
  });

  it("takes a frame of any length where little waits", () => {
    const outbox = new Outbox(new SlowSink(), 80);
    assert.ok(outbox.push(Buffer.alloc(10)));
    assert.ok(outbox.push(Buffer.alloc(1_000)));
    assert.equal(outbox.push(Buffer.alloc(1)), false);
  });

  it("says when it is crowded, and when there is room again", () => {
    const sink = new SlowSink();
    const states: string[] = [];
    const outbox = new Outbox(sink, 800, undefined, () => states.push(`${outbox.isCrowded} ${outbox.isEased}`));
    outbox.push(Buffer.alloc(400));
    assert.deepEqual([outbox.isCrowded, outbox.isEased], [false, false]);
    outbox.flush();
    outbox.push(Buffer.alloc(101));
    assert.equal(outbox.isCrowded, true);
    sink.drain();
    sink.drain();
    assert.deepEqual(states, ["false false", "false true"]);
  });

  it("is crowded where all together are, if it has more than a page", () => {
    const pool: Pool = { bytes: 0, limitBytes: 400_000 };
    const [large, small, medium] = [1, 2, 3].map(() => new Outbox(new SlowSink(), 1_000_000, pool)) as [Outbox, Outbox, Outbox];
    medium.push(Buffer.alloc(70_000));
    assert.equal(medium.isCrowded, false);
    large.push(Buffer.alloc(200_000));
    small.push(Buffer.alloc(1_000));
    assert.deepEqual([large.isCrowded, small.isCrowded, medium.isCrowded], [true, false, true]);
    assert.deepEqual([large.isEased, small.isEased, medium.isEased], [false, true, false]);
  });

  it("tells when what it had taken until then is written, whatever comes after it, or will never be", async () => {
    const sink = new SlowSink();
    const outbox = new Outbox(sink, 10_000_000);
    await outbox.written();
    const told: string[] = [];
    const tell = (name: string): void => void outbox.written().then(() => told.push(name));
    outbox.push(Buffer.alloc(2_000_000));
    tell("first");
    outbox.flush();
    outbox.push(Buffer.alloc(100));
    tell("second");
    tell("second too");
    await turn();
    assert.deepEqual(told, []);
    sink.drain();
    await turn();
    assert.deepEqual(told, ["first"]);
    sink.drain();
    await turn();
    assert.deepEqual(told, ["first", "second", "second too"]);
    outbox.push(Buffer.alloc(100));
    tell("last");
    outbox.discard();
    await outbox.written();
    assert.deepEqual(told.slice(3), ["last"]);
  });
});
