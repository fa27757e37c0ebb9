// How often something may happen in a while: so often at once, and then as it is made up for. Pure but for the clock; used by both sides.

export class Allowance {
  readonly #most: number;
  readonly #periodMs: number;
  #left: number;
  #at = Number.NaN;

  /** @param periodMs in which `most` are made up for; infinite: never */
  constructor(most: number, periodMs: number) {
    this.#most = most;
    this.#periodMs = periodMs;
    this.#left = most;
  }

  /** @returns whether it may happen once more */
  take(now: number = performance.now()): boolean {
    if (now > this.#at) this.#left = Math.min(this.#most, this.#left + ((now - this.#at) * this.#most) / this.#periodMs);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
