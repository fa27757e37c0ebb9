// What the master tells its children of who is there: egg's lifecycle actions, worked out from two states of the service. Pure.
import type { Slot } from "../policy/life.ts";
import type { State } from "../policy/state.ts";
import type { MasterAction } from "./letter.ts";

export interface Notice {
  /** Everybody of a kind, or one life. */
  readonly to: "agent" | "app" | number;
  readonly action: MasterAction;
  readonly data?: unknown;
}

/** @param ready what `egg-ready` says */
export function notices(before: State, after: State, ready: () => unknown): readonly Notice[] {
  const agents = change(before, after, "agent");
  const workers = change(before, after, "worker");
  const isRunning = after.phase === "running";
  const hasStarted = isRunning && before.phase !== "running";
  const agentPids = agents.now.map(({ pid }) => pid);
  const workerPids = workers.now.map(({ pid }) => pid);
  const said: Notice[] = [];
  if (after.agent !== null) {
    if (agents.came.length > 0) said.push({ to: "app", action: "agent-start" });
    if (agents.came.length + agents.went.length > 0) said.push({ to: "app", action: "egg-pids", data: agentPids });
    else for (const { id } of workers.came) said.push({ to: id, action: "egg-pids", data: agentPids });
    if (workers.came.length + workers.went.length > 0) said.push({ to: "agent", action: "egg-pids", data: workerPids });
    else if (isRunning) for (const { id } of agents.came) said.push({ to: id, action: "egg-pids", data: workerPids });
  }
  if (hasStarted) for (const to of ["app", "agent"] as const) said.push({ to, action: "egg-ready", data: ready() });
  else if (isRunning) for (const { id } of [...agents.came, ...workers.came]) said.push({ to: id, action: "egg-ready", data: ready() });
  return said;
}

interface Member {
  readonly id: number;
  readonly pid: number;
}

interface Change {
  readonly now: readonly Member[];
  readonly came: readonly Member[];
  readonly went: readonly Member[];
}

function change(before: State, after: State, role: "agent" | "worker"): Change {
  const then = members(before, role);
  const now = members(after, role);
  const missing = (from: readonly Member[], all: readonly Member[]): readonly Member[] =>
    all.filter(({ id }) => !from.some((other) => other.id === id));
  return { now, came: missing(then, now), went: missing(now, then) };
}

/** Who serves. */
function members(state: State, role: "agent" | "worker"): readonly Member[] {
  return slotsOf(state, role).flatMap(({ lives }) =>
    lives.flatMap(({ state, id, pid }) => (state === "ready" && pid !== null ? [{ id, pid }] : [])),
  );
}

function slotsOf(state: State, role: "agent" | "worker"): readonly Slot[] {
  if (role === "worker") return state.workers;
  return state.agent === null ? [] : [state.agent];
}
