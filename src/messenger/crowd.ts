// Back-pressure: who writes to a receiver that falls behind rests until that has caught up; what more it writes waits in its own process.
// Its one rule: only for a receiver that does read. One that takes nothing for a while holds up nobody, until it takes something again.
import type { Outbox } from "./outbox.ts";
import type { Pausable, Turnstile } from "./turnstile.ts";

/** How long a receiver may take nothing while others wait for it: longer than the pauses of a busy process. */
export const PATIENCE_MS = 2_000;

/** The world's timer. */
interface Clock {
  startTimer(delayMs: number, callback: () => void): () => void;
}

interface Wait {
  readonly sources: Set<Pausable>;
  cancel: () => void;
}

export class Crowd {
  readonly #clock: Clock;
  readonly #turnstile: Pick<Turnstile, "hold" | "release">;
  readonly #waits: Map<Outbox, Wait> = new Map();
  readonly #deaf: Set<Outbox> = new Set();

  constructor(clock: Clock, turnstile: Pick<Turnstile, "hold" | "release">) {
    this.#clock = clock;
    this.#turnstile = turnstile;
  }

  /** The source has written to the receiver with this outbox. */
  wrote(source: Pausable, outbox: Outbox): void {
    if (!outbox.isCrowded || this.#deaf.has(outbox)) return;
    let wait = this.#waits.get(outbox);
    if (wait === undefined) {
      wait = { sources: new Set(), cancel: this.#startPatience(outbox) };
      this.#waits.set(outbox, wait);
    }
    wait.sources.add(source);
    this.#turnstile.hold(source);
  }

  /** The receiver has taken something. */
  took(outbox: Outbox): void {
    this.#deaf.delete(outbox);
    if (outbox.isEased) return this.#end(outbox);
    const wait = this.#waits.get(outbox);
    if (wait === undefined) return;
    wait.cancel();
    wait.cancel = this.#startPatience(outbox);
  }

  /** The process is gone, as a source and as a receiver. */
  forget(source: Pausable, outbox: Outbox): void {
    for (const { sources } of this.#waits.values()) sources.delete(source);
    this.#turnstile.release(source);
    this.#end(outbox);
    this.#deaf.delete(outbox);
  }

  #startPatience(outbox: Outbox): () => void {
    return this.#clock.startTimer(PATIENCE_MS, () => {
      this.#deaf.add(outbox);
      this.#end(outbox);
    });
  }

  #end(outbox: Outbox): void {
    const wait = this.#waits.get(outbox);
    if (wait === undefined) return;
    wait.cancel();
    this.#waits.delete(outbox);
    const others = [...this.#waits.values()];
    for (const source of wait.sources) if (!others.some(({ sources }) => sources.has(source))) this.#turnstile.release(source);
  }
}
