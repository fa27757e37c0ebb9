// The bars that Rollcall has set for itself, and whether a run clears them.
import { ARMS } from "./arms/all.ts";
import { range, table } from "./markdown.ts";
import { ratios, valuesOf } from "./ratios.ts";
import type { Results } from "./results.ts";
import { median, type Spread, spreadOf } from "./statistics.ts";

/** What the default strategy would be: change it where the figures say so. */
const DEFAULT = "rollcall paired";
const PER_WORKER = "rollcall per-worker";

interface Bar {
  readonly arm: string;
  readonly load: string;
  readonly metric: string;
  /** An arm, the best of all arms, or null where the figure itself is held to the bar. */
  readonly against: string | "most" | "least" | null;
  readonly bar: number;
  readonly wants: "at least" | "at most";
  readonly what: string;
}

const BARS: readonly Bar[] = [
  atLeast(1.5, "one connection per request", DEFAULT, "close", "rps", "node:cluster"),
  atLeast(1.5, "one connection per request", DEFAULT, "close", "rps", "pm2-runtime"),
  atLeast(1.0, "one connection per request", DEFAULT, "close", "rps", "watt"),
  atLeast(0.92, "one connection per request", DEFAULT, "close", "rps", "reusePort"),
  atLeast(0.97, "keep-alive", DEFAULT, "keep-alive", "rps", "most"),
  atLeast(0.9, "1 % burn 50 ms, requests/s", DEFAULT, "mix-50", "rps", "most"),
  atMost(1.1, "1 % burn 50 ms, p99", DEFAULT, "mix-50", "p99", "least"),
  atMost(1.25, "16 connections one by one, max/mean", DEFAULT, "evenness", "single", null),
  atLeast(0.97, "one connection per request", PER_WORKER, "close", "rps", "reusePort"),
  atLeast(0.97, "keep-alive", PER_WORKER, "keep-alive", "rps", "reusePort"),
  atMost(200, "a worker killed every 2.5 s, slowest ms", DEFAULT, "crash", "slowest", null),
  atLeast(0.9, "a worker killed every 2.5 s, of undisturbed", DEFAULT, "crash", "undisturbed", null),
  atMost(1.25, "boot to first 200", DEFAULT, "boot", "first", "node:cluster"),
  atMost(1.5, "master's private memory / bare node", DEFAULT, "memory", "overBare", null),
];

export function barTable(results: Results): string {
  return table(
    ["what", "arm", "against", "bar", "median (range)", ""],
    BARS.map((bar) => row(results, bar)),
  );
}

function row(results: Results, bar: Bar): readonly string[] {
  const against = bar.against === "most" || bar.against === "least" ? bestOf(results, bar, bar.against) : bar.against;
  const values =
    against === null ? valuesOf(results, bar.load, bar.arm, bar.metric) : ratios(results, bar.load, bar.metric, bar.arm, against);
  const spread = spreadOf(values);
  const named = against === null ? "" : bar.against === against ? against : `the best: ${against}`;
  const limit = `${bar.wants === "at least" ? "≥" : "≤"} ${bar.bar}`;
  return [
    bar.what,
    bar.arm,
    named,
    limit,
    spread === null ? "" : range(spread, 2),
    spread === null ? "not measured" : verdict(spread, bar),
  ];
}

function verdict({ median: middle, min, max }: Spread, { bar, wants }: Bar): string {
  if (wants === "at least") return middle >= bar ? "met" : max >= bar ? "within noise" : "**short**";
  return middle <= bar ? "met" : min <= bar ? "within noise" : "**short**";
}

/** By the median of the rounds. */
function bestOf(results: Results, { load, metric, arm }: Bar, best: "most" | "least"): string {
  const medians = ARMS.flatMap(({ name }) => {
    const values = valuesOf(results, load, name, metric);
    return values.length === 0 ? [] : [{ name, value: median(values) }];
  });
  const sorted = medians.sort((a, b) => (best === "most" ? b.value - a.value : a.value - b.value));
  return sorted[0]?.name ?? arm;
}

function atLeast(bar: number, what: string, arm: string, load: string, metric: string, against: string | null): Bar {
  return { arm, load, metric, against, bar, wants: "at least", what };
}

function atMost(bar: number, what: string, arm: string, load: string, metric: string, against: string | null): Bar {
  return { arm, load, metric, against, bar, wants: "at most", what };
}
