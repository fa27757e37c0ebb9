// What a worker may come to: limits of its own, far from its neighbours', and never above what was set.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Limits, Ready, Sample } from "../../../src/policy/life.ts";
import { drawLimits, limitReached, NO_LIMITS } from "../../../src/policy/limits.ts";
import { SAMPLE } from "../../helpers/story.ts";

const MIB = 1024 * 1024;
const SET: Limits = { residentBytes: 200 * MIB, heapBytes: 100 * MIB, requests: 10_000, lifetimeMs: 3_600_000 };

describe("the limits of a life", () => {
  it("lie between 90 and 100 % of what was set", () => {
    for (const random of [0, 0.3, 0.999_999]) {
      for (let life = 1; life < 200; life++) {
        const { requests, lifetimeMs, residentBytes, heapBytes } = drawLimits(SET, life, random);
        assert.ok(requests !== null && requests >= 9_000 && requests <= 10_000, `${requests}`);
        assert.ok(lifetimeMs !== null && lifetimeMs >= 3_240_000 && lifetimeMs <= 3_600_000);
        assert.ok(residentBytes !== null && residentBytes >= 180 * MIB && residentBytes <= 200 * MIB);
        assert.ok(heapBytes !== null && heapBytes >= 90 * MIB && heapBytes <= 100 * MIB);
      }
    }
  });

  it("are far apart for workers that are born at one moment, with one random number", () => {
    const drawn = [2, 3, 4, 5, 6, 7, 8, 9].map((life) => drawLimits(SET, life, 0.5).requests ?? 0).sort((a, b) => a - b);
    for (const [index, requests] of drawn.slice(1).entries()) assert.ok(requests - (drawn[index] ?? 0) >= 50, drawn.join(" "));
  });

  it("stay away where none was set, and are never 0", () => {
    assert.deepEqual(drawLimits(NO_LIMITS, 3, 0.5), NO_LIMITS);
    assert.equal(drawLimits({ ...NO_LIMITS, requests: 1 }, 3, 0.999).requests, 1);
  });
});

describe("a limit is reached", () => {
  const reached = (limits: Partial<Limits>, said: Partial<Sample> | null, ageMs = 0) => {
    const identity = {
      id: 1,
      pid: 1,
      thread: null,
      generation: 1,
      reason: "boot",
      forkedAt: 0,
      fault: null,
      queues: [],
      ailments: [],
    } as const;
    const own = { limits: { ...NO_LIMITS, ...limits }, sample: said === null ? null : { ...SAMPLE, ...said } };
    const life: Ready = {
      ...identity,
      ...own,
      state: "ready",
      readyAt: 1_000,
      lastSeenAt: 0,
      suspected: false,
      renewal: null,
      renewalSample: null,
    };
    return limitReached(life, 1_000 + ageMs);
  };

  it("by memory, requests or lifetime, at the limit and not before, and says so in words", () => {
    assert.equal(reached({ residentBytes: 100 * MIB }, { residentBytes: 100 * MIB - 1 }), null);
    const memory = { reason: "recycle_memory", words: "uses 101 MiB of memory, its limit is 100 (max-memory)" };
    assert.deepEqual(reached({ residentBytes: 100 * MIB }, { residentBytes: 101 * MIB }), memory);
    assert.equal(reached({ heapBytes: 50 * MIB }, { heapLiveBytes: 50 * MIB - 1, heapUsedBytes: 60 * MIB }), null);
    const heap = { reason: "recycle_memory", words: "keeps 50 MiB of its heap after garbage collection, its limit is 50 (max-memory)" };
    assert.deepEqual(reached({ heapBytes: 50 * MIB }, { heapLiveBytes: 50 * MIB }), heap);
    assert.equal(reached({ requests: 50 }, { requests: 49 }), null);
    const requests = { reason: "recycle_requests", words: "has had 50 requests, its limit is 50 (max-requests)" };
    assert.deepEqual(reached({ requests: 50 }, { requests: 50 }), requests);
    assert.equal(reached({ lifetimeMs: 60_000 }, {}, 59_999), null);
    const lifetime = { reason: "recycle_lifetime", words: "has served for 60 s, its limit is 60 (max-lifetime)" };
    assert.deepEqual(reached({ lifetimeMs: 60_000 }, {}, 60_000), lifetime);
  });

  it("by nothing before the first heartbeat, or without limits", () => {
    assert.equal(reached({ lifetimeMs: 1 }, null, 60_000), null);
    assert.equal(reached({}, { residentBytes: 1e12, requests: 1e9 }, 1e9), null);
  });
});
