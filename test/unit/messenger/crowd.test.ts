import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Crowd, PATIENCE_MS } from "../../../src/messenger/crowd.ts";
import { Outbox, type Sink } from "../../../src/messenger/outbox.ts";
import { type Pausable, Turnstile } from "../../../src/messenger/turnstile.ts";
import type { World } from "../../../src/system/world.ts";

/** A clock that is moved on by hand. */
class Clock implements Pick<World, "startTimer"> {
  #now = 0;
  readonly #timers: Set<{ readonly at: number; readonly callback: () => void }> = new Set();

  startTimer(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) if (timer.at <= this.#now && this.#timers.delete(timer)) timer.callback();
  }

  get running(): number {
    return this.#timers.size;
  }
}

class Source implements Pausable {
  isResting = false;

  pause(): void {
    this.isResting = true;
  }

  resume(): void {
    this.isResting = false;
  }
}

/** A process that reads when it is told to. */
class Receiver implements Sink {
  readonly destroyed = false;
  readonly outbox: Outbox;
  #done: (() => void)[] = [];

  constructor(crowd: Crowd) {
    this.outbox = new Outbox(this, 8_000_000, undefined, () => crowd.took(this.outbox));
  }

  cork(): void {}
  uncork(): void {}

  write(_: Uint8Array, callback: () => void): boolean {
    this.#done.push(callback);
    return true;
  }

  fill(bytes: number): void {
    for (let filled = 0; filled < bytes; filled += 500_000) this.outbox.push(Buffer.alloc(500_000));
    this.outbox.flush();
  }

  read(): void {
    for (const callback of this.#done.splice(0)) callback();
  }

  readAll(): void {
    while (this.outbox.bytes > 0) this.read();
  }
}

function scene(): { clock: Clock; crowd: Crowd; source: Source; first: Receiver; second: Receiver } {
  const clock = new Clock();
  const crowd = new Crowd(clock, new Turnstile());
  return { clock, crowd, source: new Source(), first: new Receiver(crowd), second: new Receiver(crowd) };
}

describe("who writes to a receiver that falls behind", () => {
  it("rests until there is room again", () => {
    const { clock, crowd, source, first } = scene();
    first.fill(3_000_000);
    crowd.wrote(source, first.outbox);
    assert.equal(source.isResting, false);
    first.fill(2_000_000);
    crowd.wrote(source, first.outbox);
    assert.equal(source.isResting, true);
    first.read();
    assert.equal(source.isResting, true);
    first.readAll();
    assert.equal(source.isResting, false);
    assert.equal(clock.running, 0);
  });

  it("rests for as long as the receiver takes something now and then", () => {
    const { clock, crowd, source, first } = scene();
    first.fill(7_500_000);
    crowd.wrote(source, first.outbox);
    for (let round = 0; round < 5; round++) {
      clock.pass(PATIENCE_MS - 1);
      first.read();
      assert.equal(source.isResting, true);
    }
    first.readAll();
    assert.equal(source.isResting, false);
  });

  it("goes on when the receiver takes nothing, and does not rest for it again before it takes something", () => {
    const { clock, crowd, source, first } = scene();
    first.fill(7_500_000);
    crowd.wrote(source, first.outbox);
    clock.pass(PATIENCE_MS - 1);
    assert.equal(source.isResting, true);
    clock.pass(1);
    assert.equal(source.isResting, false);
    crowd.wrote(source, first.outbox);
    assert.equal(source.isResting, false);
    first.read();
    crowd.wrote(source, first.outbox);
    assert.equal(source.isResting, true);
  });

  it("rests until all that it waits for have room, and for none that is gone", () => {
    const { clock, crowd, source, first, second } = scene();
    for (const receiver of [first, second]) {
      receiver.fill(5_000_000);
      crowd.wrote(source, receiver.outbox);
    }
    first.readAll();
    assert.equal(source.isResting, true);
    crowd.forget(new Source(), second.outbox);
    assert.equal(source.isResting, false);
    assert.equal(clock.running, 0);
  });

  it("is read at once when it is gone itself: its last words", () => {
    const { clock, crowd, source, first, second } = scene();
    first.fill(5_000_000);
    crowd.wrote(source, first.outbox);
    crowd.forget(source, second.outbox);
    assert.equal(source.isResting, false);
    first.readAll();
    assert.equal(clock.running, 0);
  });
});
