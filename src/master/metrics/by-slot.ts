// The metrics by slot: what the children say of themselves in their heartbeats. Gauges are of the slots that are there; the counters of a slot that
// was scaled away stay. Read from a snapshot at each scrape. Runs in the master.
import type { Registry } from "prom-client";
import type { ProcessView, SlotView, Snapshot } from "../../policy/snapshot.ts";
import { type AddMetric, addsTo, type Setter } from "./collected.ts";

const BY_SLOT = ["role", "slot"] as const;

type Read = (view: SlotView, set: Setter) => void;

export function addSlotMetrics(registry: Registry, look: () => Snapshot): void {
  const add = addsTo(registry);
  const bySlot =
    (metric: AddMetric, views: (snapshot: Snapshot) => readonly SlotView[]) =>
    (name: string, help: string, labelNames: readonly string[], read: Read) =>
      metric(name, help, labelNames, (set) => {
        for (const view of views(look())) read(view, set);
      });
  const gauge = bySlot(add.gauge, present);
  const counter = bySlot(add.counter, (snapshot) => [...present(snapshot), ...snapshot.retired]);

  gauge("rollcall_heartbeat_age_seconds", "Since the last heartbeat of the ready process.", BY_SLOT, (view, set) =>
    set(place(view), serving(view)?.heartbeatAgeSeconds),
  );
  gauge("rollcall_event_loop_lag_seconds", "Event loop lag over the last heartbeat's time.", [...BY_SLOT, "stat"], (view, set) => {
    const lag = serving(view)?.eventLoopLagSeconds;
    for (const stat of ["p50", "p99", "max"] as const) set({ ...place(view), stat }, lag?.[stat]);
  });
  gauge("rollcall_event_loop_utilization_ratio", "Busy share of the event loop over the last heartbeat's time.", BY_SLOT, (view, set) =>
    set(place(view), serving(view)?.eventLoopUtilization),
  );
  gauge("rollcall_resident_memory_bytes", "Resident memory of the serving process.", BY_SLOT, (view, set) =>
    set(place(view), serving(view)?.residentBytes),
  );
  gauge("rollcall_heap_used_bytes", "Used part of the serving process's V8 heap.", BY_SLOT, (view, set) =>
    set(place(view), serving(view)?.heapUsedBytes),
  );
  gauge("rollcall_heap_limit_bytes", "Size at which V8 ends the serving process.", BY_SLOT, (view, set) =>
    set(place(view), serving(view)?.heapLimitBytes),
  );
  gauge("rollcall_backoff_seconds", "Until the next start; 0 when there is no backoff.", BY_SLOT, (view, set) =>
    set(place(view), view.backoffSeconds),
  );
  gauge("rollcall_requests_in_flight", "Requests whose response is due.", ["slot"], (view, set) => {
    const due = view.processes.reduce((sum, process) => sum + (process.requestsInFlight ?? 0), 0);
    if (view.role === "worker") set({ slot: view.slot }, due);
  });
  counter("rollcall_requests_total", "Requests begun.", ["slot"], (view, set) => {
    if (view.role === "worker") set({ slot: view.slot }, view.requests);
  });
  counter("rollcall_cpu_seconds_total", "CPU time used.", BY_SLOT, (view, set) => set(place(view), view.cpuSeconds));
}

function present({ agent, workers }: Snapshot): readonly SlotView[] {
  return agent === null ? workers : [agent, ...workers];
}

function place({ role, slot }: SlotView): { readonly role: string; readonly slot: number | string } {
  return { role, slot };
}

function serving(view: SlotView): ProcessView | undefined {
  return view.processes.find((process) => process.state === "ready") ?? view.processes[0];
}
