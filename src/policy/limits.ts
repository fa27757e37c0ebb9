// What a worker may come to before it is recycled: each life draws limits of its own, so that workers never recycle together. Pure.
import type { Limits, Ready, RenewalReason } from "./life.ts";

export const NO_LIMITS: Limits = { residentBytes: null, heapBytes: null, requests: null, lifetimeMs: null };

/** A life's own limits lie this far, at most, under what was set: a maximum stays one. */
const SPREAD = 0.1;
/** Steps of the golden ratio never come near each other: lives that are born in one step, with one random number, lie far apart. */
const GOLDEN_RATIO = 0.618_033_988_749_895;
const MIB = 1024 * 1024;

/**
 * The limits of one life: 90 to 100 % of what was set, by the same share for all four.
 * @param life its number
 * @param random uniform in [0, 1)
 */
export function drawLimits(set: Limits, life: number, random: number): Limits {
  const share = 1 - SPREAD * ((random + life * GOLDEN_RATIO) % 1);
  const draw = (limit: number | null): number | null => (limit === null ? null : Math.max(1, Math.round(limit * share)));
  return {
    residentBytes: draw(set.residentBytes),
    heapBytes: draw(set.heapBytes),
    requests: draw(set.requests),
    lifetimeMs: draw(set.lifetimeMs),
  };
}

/** A limit that was reached, and how, in words. */
export interface Reached {
  readonly reason: RenewalReason;
  readonly words: string;
}

/** The first limit that a life has reached, by its last heartbeat. */
export function limitReached({ limits, sample, readyAt }: Ready, now: number): Reached | null {
  if (sample === null) return null;
  const { residentBytes, heapBytes, requests, lifetimeMs } = limits;
  if (residentBytes !== null && sample.residentBytes >= residentBytes) {
    return {
      reason: "recycle_memory",
      words: `uses ${mib(sample.residentBytes)} MiB of memory, its limit is ${mib(residentBytes)} (max-memory)`,
    };
  }
  if (heapBytes !== null && sample.heapLiveBytes >= heapBytes) {
    return {
      reason: "recycle_memory",
      words: `keeps ${mib(sample.heapLiveBytes)} MiB of its heap after garbage collection, its limit is ${mib(heapBytes)} (max-memory)`,
    };
  }
  if (requests !== null && sample.requests >= requests) {
    return { reason: "recycle_requests", words: `has had ${sample.requests} requests, its limit is ${requests} (max-requests)` };
  }
  if (lifetimeMs !== null && now - readyAt >= lifetimeMs) {
    const seconds = (ms: number): number => Math.round(ms / 1_000);
    return {
      reason: "recycle_lifetime",
      words: `has served for ${seconds(now - readyAt)} s, its limit is ${seconds(lifetimeMs)} (max-lifetime)`,
    };
  }
  return null;
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB);
}
