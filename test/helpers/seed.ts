// Chance that can be had again: the seed is printed, and ROLLCALL_SEED sets it; so does TEST_SEED, for a whole suite whose services must not see it.
import type { TestContext } from "node:test";

export interface Chance {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
}

export function startChance(t: TestContext): Chance {
  const seed = chooseSeed();
  t.diagnostic(`ROLLCALL_SEED=${seed}`);
  return chanceOf(seed);
}

export function chooseSeed(): number {
  return Number(process.env.ROLLCALL_SEED ?? process.env.TEST_SEED ?? Date.now() % 1_000_000);
}

/** The same seed gives the same chances. */
export function chanceOf(seed: number): Chance {
  let state = seed;
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (from) => {
      if (from.length === 0) throw new Error("expected something to pick from, got nothing");
      return from[below(from.length)] as (typeof from)[number];
    },
  };
}
