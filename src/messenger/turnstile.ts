// Shares one process's time between those who write to it: who has brought a turn's worth of work waits for the next turn of the event loop, and what more
// it writes waits in its own process. Without it one that floods is read 2 MiB at a time (libuv's measure) before anybody else is.

/** What is done in one turn: about 5 ms of small messages. */
const TURN_BYTES: number = 512 * 1024;

export interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

export class Turnstile {
  /** Until the next turn. */
  readonly #paused: Set<Pausable> = new Set();
  /** Until they are released. */
  readonly #held: Set<Pausable> = new Set();
  #bytes = 0;
  #isArmed = false;

  /** The source has brought as much: it rests when the turn's measure is full. */
  count(source: Pausable, bytes: number): void {
    this.add(bytes);
    if (this.#bytes < TURN_BYTES || this.#paused.has(source)) return;
    this.#paused.add(source);
    source.pause();
  }

  /** Work that takes as long as so many bytes do. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isArmed) return;
    this.#isArmed = true;
    setImmediate(() => {
      this.#isArmed = false;
      this.#bytes = 0;
      const paused = [...this.#paused];
      this.#paused.clear();
      for (const each of paused) if (!this.#held.has(each)) each.resume();
    });
  }
  /** The source rests until it is released. */
  hold(source: Pausable): void {
    if (this.#held.has(source)) return;
    this.#held.add(source);
    source.pause();
  }

  release(source: Pausable): void {
    if (this.#held.delete(source) && !this.#paused.has(source)) source.resume();
  }
}
