// Which deaths were the kernel's doing, for want of memory: it counts its kills for each cgroup, and says to no parent which child it hit.
// Runs in the master. Its one rule: one counted kill explains one death, and only one that comes soon after it.
import { readOomKills } from "./cgroup.ts";

/** The kernel counts before it kills; freeing the memory of a large process, or swapping, may take its time. */
const CLAIM_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 1_000;

export class OomWatch {
  readonly #now: () => number;
  readonly #read: () => number | null;
  #count: number | null;
  #lookedAt: number;
  /** When each kill was seen that has explained no death yet. */
  #unclaimed: number[] = [];

  /** @param read the kernel's count; null where it is unknown */
  constructor(now: () => number, read: () => number | null = readOomKills) {
    this.#now = now;
    this.#read = read;
    this.#count = read();
    this.#lookedAt = now();
  }

  /** To be called now and then. Returns how many kills can have hit no child of ours: something that a child has started, or `docker exec`. */
  look(): number {
    const now = this.#now();
    if (now - this.#lookedAt < LOOK_EVERY_MS) return 0;
    this.#countKills(now);
    const before = this.#unclaimed.length;
    this.#unclaimed = this.#unclaimed.filter((at) => now - at < CLAIM_WITHIN_MS);
    return before - this.#unclaimed.length;
  }

  /** Whether a child that was just ended by a SIGKILL of unknown origin was ended by the kernel. */
  claim(): boolean {
    const now = this.#now();
    this.#countKills(now);
    const index = this.#unclaimed.findIndex((at) => now - at < CLAIM_WITHIN_MS);
    if (index === -1) return false;
    this.#unclaimed.splice(index, 1);
    return true;
  }

  #countKills(now: number): void {
    this.#lookedAt = now;
    const count = this.#read();
    if (count === null) return;
    for (let seen = this.#count ?? count; seen < count; seen++) this.#unclaimed.push(now);
    this.#count = count;
  }
}
