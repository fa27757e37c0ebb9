// Each step of an order in words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeAnswer } from "../../../src/cli/progress.ts";
import type { Answer } from "../../../src/messenger/control.ts";

const OF_WORKER = { event: "step", role: "worker", slot: 0, pid: 31, generation: 2 } as const;
const ELDER = { pid: 12, generation: 1 };
const OLD = { ...OF_WORKER, pid: 12, generation: 1 } as const;

const SAID: readonly (readonly [Answer, string | null])[] = [
  [{ event: "accepted", command: "reload", pid: 1, generation: 2, queued: false }, "reload: generation 2"],
  [{ event: "accepted", command: "reload", pid: 1, generation: 3, queued: true }, "reload: generation 3, queued behind what is running"],
  [{ event: "accepted", command: "scale", pid: 1, workers: 1 }, "scale: to 1 worker"],
  [{ event: "accepted", command: "drain", pid: 1 }, null],
  [{ ...OF_WORKER, happened: { type: "started" } }, "worker 0: pid 31 generation 2 starting"],
  [
    { ...OF_WORKER, happened: { type: "readied", bootMs: 212, replaces: ELDER, trial: false } },
    "worker 0: pid 12 generation 1 → pid 31 generation 2 ready in 212 ms",
  ],
  [
    { ...OF_WORKER, happened: { type: "readied", bootMs: 212, replaces: ELDER, trial: true } },
    "worker 0: pid 31 generation 2 ready in 212 ms, on trial beside pid 12 generation 1",
  ],
  [
    { ...OF_WORKER, happened: { type: "readied", bootMs: 212, replaces: null, trial: false } },
    "worker 0: pid 31 generation 2 ready in 212 ms",
  ],
  [{ ...OLD, happened: { type: "draining", cause: "reload", stays: null } }, "worker 0: old one (pid 12 generation 1) draining"],
  [{ ...OLD, happened: { type: "draining", cause: "scale", stays: null } }, "worker 0: pid 12 generation 1 draining"],
  [
    { ...OLD, happened: { type: "draining", cause: "crash", stays: null } },
    "worker 0: pid 12 generation 1 draining after an uncaught exception",
  ],
  [{ ...OLD, happened: { type: "killing", cause: "boot-timeout", stays: null } }, "worker 0: pid 12 generation 1 killed (boot-timeout)"],
  [
    { ...OLD, happened: { type: "ended", was: "draining", cause: "reload", stays: null } },
    "worker 0: old one (pid 12 generation 1) drained",
  ],
  [
    { ...OLD, happened: { type: "ended", was: "ready", cause: null, stays: null } },
    "worker 0: pid 12 generation 1 ended without being asked to",
  ],
  [
    { ...OLD, happened: { type: "ended", was: "starting", cause: null, stays: null } },
    "worker 0: pid 12 generation 1 ended before it was ready",
  ],
  [
    { ...OLD, role: "agent", happened: { type: "ended", was: "killing", cause: "fast-stop", stays: null } },
    "agent: pid 12 generation 1 gone",
  ],
  [
    { ...OF_WORKER, happened: { type: "draining", cause: "taken-back", stays: ELDER } },
    "worker 0: pid 31 generation 2 taken back; pid 12 generation 1 stays",
  ],
  [
    { ...OF_WORKER, happened: { type: "draining", cause: "crash", stays: ELDER } },
    "worker 0: pid 31 generation 2 draining after an uncaught exception; pid 12 generation 1 stays",
  ],
  [
    { ...OF_WORKER, happened: { type: "killing", cause: "boot-timeout", stays: ELDER } },
    "worker 0: pid 31 generation 2 killed (boot-timeout); pid 12 generation 1 stays",
  ],
  [
    { ...OF_WORKER, happened: { type: "ended", was: "ready", cause: null, stays: ELDER } },
    "worker 0: pid 31 generation 2 ended without being asked to; pid 12 generation 1 stays",
  ],
  [{ event: "log", level: "error", message: "worker 0: Error: no" }, "error: worker 0: Error: no"],
  [{ event: "failed", command: "reload", why: "no" }, "reload failed: no"],
  [{ event: "ended", exitCode: 8 }, "stopped: the service has ended with exit code 8"],
];

test("says each step in a line", () => {
  for (const [answer, words] of SAID) assert.equal(describeAnswer(answer), words);
});

test("passes over what a newer service says", () => {
  assert.equal(describeAnswer({ event: "sung" } as unknown as Answer), null);
});
