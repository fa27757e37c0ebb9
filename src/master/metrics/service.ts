// The metrics of the whole service, read from its state at each scrape. Runs in the master.
import type { Registry } from "prom-client";
import type { Role } from "../../policy/life.ts";
import { isLive, isReady, SERVICE_STATES, serviceState } from "../../policy/select.ts";
import { countProcesses, PROCESS_STATES, takeSnapshot } from "../../policy/snapshot.ts";
import type { State } from "../../policy/state.ts";
import { addsTo } from "./collected.ts";

export interface ServiceSource {
  readonly version: string;
  state(): State;
  now(): number;
  /** Connections that wait to be accepted, by each port of the app that the master knows. */
  acceptQueues(): Promise<ReadonlyMap<number, number>>;
  /** Connections that the master has accepted and no worker has had: too many waited, or their client had gone, or none could take them. */
  droppedConnections(): Readonly<Record<"full" | "untaken" | "gone", number>>;
  /** Connections that another worker has than the one that had accepted them, because it had fewer. */
  movedConnections(): number;
  orphans(): { readonly reaped: number; readonly zombies: number };
}

export function addServiceMetrics(registry: Registry, source: ServiceSource, roles: readonly Role[]): void {
  const { gauge, counter } = addsTo(registry);
  const single = (name: string, help: string, read: (state: State) => number): void =>
    gauge(name, help, [], (set) => set({}, read(source.state())));

  gauge("rollcall_build_info", "Always 1; the versions are its labels.", ["version", "node_version"], (set) =>
    set({ version: source.version, node_version: process.version }, 1),
  );
  gauge("rollcall_state", "1 for the state that the service is in.", ["state"], (set) => {
    const current = serviceState(source.state());
    for (const state of SERVICE_STATES) set({ state }, current === state ? 1 : 0);
  });
  single(
    "rollcall_generation",
    "The newest generation that serves: not one that has yet to boot, or that failed. 0 before the first.",
    (state) => state.servedGeneration,
  );
  single("rollcall_workers_target", "How many workers there should be.", (state) => state.workersTarget);
  gauge(
    "rollcall_processes",
    "Processes by state; a slot without a process is in backoff, or starting where its first one is still to come.",
    ["role", "state"],
    (set) => {
      for (const role of roles) {
        const counts = countProcesses(source.state(), role);
        for (const state of PROCESS_STATES) set({ role, state }, counts[state]);
      }
    },
  );
  single("rollcall_roll_call_strikes", "Failed roll calls in a row.", (state) => state.rollCall.strikes);
  single("rollcall_live", "1 while liveness is true.", (state) => (isLive(state) ? 1 : 0));
  single("rollcall_ready", "1 while readiness is true.", (state) => (isReady(state, source.now()) ? 1 : 0));
  single("rollcall_reload_in_progress", "1 while a reload runs.", (state) => (state.rollout === null ? 0 : 1));
  single("rollcall_crash_loop", "1 when a crash loop was found.", (state) => (takeSnapshot(state, source.now()).crashLoop ? 1 : 0));

  gauge(
    "rollcall_accept_queue_length",
    "Connections that wait for a worker, in all queues of a port and in the master.",
    ["port"],
    async (set) => {
      for (const [port, length] of await source.acceptQueues()) set({ port }, length);
    },
  );
  counter(
    "rollcall_connections_dropped_total",
    "Connections that the master accepted and closed again: full is that too many waited, gone that the client had left while too many waited, untaken that no worker took them.",
    ["reason"],
    (set) => {
      for (const [reason, amount] of Object.entries(source.droppedConnections())) set({ reason }, amount);
    },
  );
  counter(
    "rollcall_connections_moved_total",
    "Connections that went to a worker with fewer than the one that had accepted them.",
    [],
    (set) => set({}, source.movedConnections()),
  );
  gauge(
    "rollcall_zombies",
    "Orphans of this container that have ended and are not reaped yet, at the last look, once a second.",
    [],
    (set) => set({}, source.orphans().zombies),
  );
  counter("rollcall_orphans_reaped_total", "Orphans that the master reaped, as PID 1 or with subreaper.", [], (set) =>
    set({}, source.orphans().reaped),
  );
}
