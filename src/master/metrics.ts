// The metrics of the service, in a prom-client registry of the master's own. Counters live here, so they survive every child;
// gauges are read from the state at each scrape. Labels are bounded and there from the start as 0; none holds a pid.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Tally } from "../policy/effects.ts";
import type { Signal } from "../policy/events.ts";
import type { Outcome, Role, StartReason } from "../policy/life.ts";
import { isLive, isReady, SERVICE_STATES, serviceState } from "../policy/select.ts";
import { countProcesses, PROCESS_STATES, takeSnapshot } from "../policy/snapshot.ts";
import type { State } from "../policy/state.ts";
import { addMessageMetrics } from "./message-metrics.ts";
import type { PostCounts } from "./post.ts";
import { addSlotMetrics } from "./slot-metrics.ts";

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

export interface MetricsSource {
  readonly version: string;
  readonly hasAgent: boolean;
  state(): State;
  now(): number;
  /** Connections that wait to be accepted, by each port of the app that the master knows. */
  acceptQueues(): Promise<ReadonlyMap<number, number>>;
  orphans(): { readonly reaped: number; readonly zombies: number };
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
  addServiceGauges(registry, source, roles);
  addAcceptQueues(registry, source);
  addOrphans(registry, source);
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

/** Gauges of the whole service. */
function addServiceGauges(registry: Registry, source: MetricsSource, roles: readonly Role[]): void {
  const gauge = (name: string, help: string, labelNames: readonly string[], read: (gauge: Gauge, state: State) => void) =>
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        read(this, source.state());
      },
    });
  gauge("rollcall_build_info", "Always 1; the versions are its labels.", ["version", "node_version"], (to) =>
    to.set({ version: source.version, node_version: process.version }, 1),
  );
  gauge("rollcall_state", "1 for the state that the service is in.", ["state"], (to, state) => {
    for (const name of SERVICE_STATES) to.set({ state: name }, serviceState(state) === name ? 1 : 0);
  });
  gauge(
    "rollcall_generation",
    "The newest generation that a worker was ready in: not one that has yet to boot, or that could not. 0 before the first.",
    [],
    (to, state) => to.set(state.servedGeneration),
  );
  gauge("rollcall_workers_target", "How many workers there should be.", [], (to, state) => to.set(state.workersTarget));
  gauge("rollcall_processes", "Processes by state; a slot without a process is in backoff.", ["role", "state"], (to, state) => {
    for (const role of roles) {
      const counts = countProcesses(state, role);
      for (const name of PROCESS_STATES) to.set({ role, state: name }, counts[name]);
    }
  });
  gauge("rollcall_roll_call_strikes", "Failed roll calls in a row.", [], (to, state) => to.set(state.rollCall.strikes));
  gauge("rollcall_live", "1 while liveness is true.", [], (to, state) => to.set(isLive(state) ? 1 : 0));
  gauge("rollcall_ready", "1 while readiness is true.", [], (to, state) => to.set(isReady(state, source.now()) ? 1 : 0));
  gauge("rollcall_reload_in_progress", "1 while a reload runs.", [], (to, state) => to.set(state.rollout === null ? 0 : 1));
  gauge("rollcall_crash_loop", "1 when a crash loop was found.", [], (to, state) =>
    to.set(takeSnapshot(state, source.now()).crashLoop ? 1 : 0),
  );
}

function addAcceptQueues(registry: Registry, source: MetricsSource): void {
  new Gauge({
    name: "rollcall_accept_queue_length",
    help: "Connections that wait to be accepted, in all queues of a port.",
    labelNames: ["port"],
    registers: [registry],
    async collect() {
      const waiting = await source.acceptQueues();
      this.reset();
      for (const [port, length] of waiting) this.set({ port }, length);
    },
  });
}

function addOrphans(registry: Registry, source: MetricsSource): void {
  const registers = [registry];
  new Gauge({
    name: "rollcall_zombies",
    help: "Orphans of this container that have ended and are not reaped yet, at the last look, once a second.",
    registers,
    collect() {
      this.set(source.orphans().zombies);
    },
  });
  new Counter({
    name: "rollcall_orphans_reaped_total",
    help: "Orphans that the master reaped, as PID 1 or with subreaper.",
    registers,
    collect() {
      this.reset();
      this.inc(source.orphans().reaped);
    },
  });
}

function describe(registry: Registry): readonly MetricDescription[] {
  return registry.getMetricsAsArray().map((metric) => {
    const { name, help, labelNames } = metric as unknown as { name: string; help: string; labelNames: string[] };
    const type = metric instanceof Counter ? "counter" : metric instanceof Histogram ? "histogram" : "gauge";
    return { name, type, labels: labelNames, help };
  });
}
