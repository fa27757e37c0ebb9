// How often something may happen in a while. Pure but for the clock.

export class Allowance {
  readonly #most: number;
  readonly #periodMs: number;
  #count = 0;
  #endsAt = Number.NEGATIVE_INFINITY;

  constructor(most: number, periodMs: number) {
    this.#most = most;
    this.#periodMs = periodMs;
  }

  /** @returns whether it may happen once more */
  take(now: number = performance.now()): boolean {
    if (now >= this.#endsAt) {
      this.#endsAt = now + this.#periodMs;
      this.#count = 0;
    }
    return ++this.#count <= this.#most;
  }
}
