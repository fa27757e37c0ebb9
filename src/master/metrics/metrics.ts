// The metrics of the service, in a prom-client registry of the master's own. Counters live here, so they survive every child;
// gauges are read from the state at each scrape. Labels are bounded and there from the start as 0; none holds a pid.
import { Counter, collectDefaultMetrics, Histogram, Registry } from "prom-client";
import type { Tally } from "../../policy/effects.ts";
import type { Signal } from "../../policy/events.ts";
import type { Outcome, Role, StartReason } from "../../policy/life.ts";
import { takeSnapshot } from "../../policy/snapshot.ts";
import type { PostCounts } from "../post/post.ts";
import { addSlotMetrics } from "./by-slot.ts";
import { addMessageMetrics } from "./messages.ts";
import { addServiceMetrics, type ServiceSource } from "./service.ts";

const REASONS: readonly StartReason[] = [
  ...(["boot", "crash", "reload", "scale", "restart", "unresponsive"] as const),
  ...(["recycle_memory", "recycle_requests", "recycle_lifetime"] as const),
];
const OUTCOMES: readonly Outcome[] = ["clean", "crash", "boot_failure", "killed", "oom", "unresponsive"];
const RESULTS = ["success", "failure"] as const;
const SIGNALS: readonly Signal[] = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"];
/** prom-client's gauges that are named like counters; promtool rejects them. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];
const BOOT_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const DRAIN_BUCKETS = [0.05, 0.1, 0.5, 1, 2.5, 5, 10, 25, 60];

export interface MetricsSource extends ServiceSource {
  readonly hasAgent: boolean;
  messages(): PostCounts;
}

export interface Metrics {
  readonly contentType: string;
  tally(entry: Tally): void;
  addCut(connections: number): void;
  /** The text that Prometheus scrapes. */
  render(): Promise<string>;
  /** What there is, for the docs. */
  describe(): readonly MetricDescription[];
}

export interface MetricDescription {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
}

export function createMetrics(source: MetricsSource): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const roles: readonly Role[] = source.hasAgent ? ["agent", "worker"] : ["worker"];
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name, help, labelNames: [...labelNames], registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, labelNames: ["role"], buckets, registers });

  const starts = counter("rollcall_process_starts_total", "Processes started, by why.", ["role", "reason"]);
  const exits = counter("rollcall_process_exits_total", "Processes that ended, by how.", ["role", "outcome"]);
  const restarts = counter("rollcall_process_restarts_total", "Processes started in the place of one that failed.", ["role"]);
  const rollCalls = counter("rollcall_roll_calls_total", "Roll calls taken.", ["result"]);
  const reloads = counter("rollcall_reloads_total", "Reloads that ended.", ["result"]);
  const signals = counter("rollcall_signals_total", "Signals that the master received.", ["signal"]);
  const cut = counter("rollcall_connections_cut_total", "Connections that the end of a drain cut off.");
  const boots = histogram("rollcall_boot_duration_seconds", "From fork to ready.", BOOT_BUCKETS);
  const drains = histogram("rollcall_drain_duration_seconds", "From the order to drain to the exit.", DRAIN_BUCKETS);

  for (const role of roles) {
    for (const reason of REASONS) starts.inc({ role, reason }, 0);
    for (const outcome of OUTCOMES) exits.inc({ role, outcome }, 0);
    restarts.inc({ role }, 0);
    boots.zero({ role });
    drains.zero({ role });
  }
  for (const result of RESULTS) {
    rollCalls.inc({ result }, 0);
    reloads.inc({ result }, 0);
  }
  for (const signal of SIGNALS) signals.inc({ signal }, 0);
  addServiceMetrics(registry, source, roles);
  addMessageMetrics(registry, () => source.messages());
  addSlotMetrics(registry, () => takeSnapshot(source.state(), source.now()));
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);

  return {
    contentType: registry.contentType,
    addCut: (connections) => cut.inc(connections),
    render: () => registry.metrics(),
    describe: () => describe(registry),
    tally(entry) {
      switch (entry.metric) {
        case "starts":
          return starts.inc({ role: entry.role, reason: entry.reason });
        case "exits":
          return exits.inc({ role: entry.role, outcome: entry.outcome });
        case "restarts":
          return restarts.inc({ role: entry.role });
        case "boot-seconds":
          return boots.observe({ role: entry.role }, entry.value);
        case "drain-seconds":
          return drains.observe({ role: entry.role }, entry.value);
        case "roll-calls":
          return rollCalls.inc({ result: entry.result });
        case "reloads":
          return reloads.inc({ result: entry.result });
        case "signals":
          return signals.inc({ signal: entry.signal });
        default:
          entry satisfies never;
      }
    },
  };
}

function describe(registry: Registry): readonly MetricDescription[] {
  return registry.getMetricsAsArray().map((metric) => {
    const { name, help, labelNames } = metric as unknown as { name: string; help: string; labelNames: string[] };
    const type = metric instanceof Counter ? "counter" : metric instanceof Histogram ? "histogram" : "gauge";
    return { name, type, labels: labelNames, help };
  });
}
