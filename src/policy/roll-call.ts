// The roll call: every period it counts the agent and the workers; the last strike allowed raises the exception. Pure.
import { countReadyWorkers, countResponsiveWorkers, isResponsive, readyLife } from "./select.ts";
import type { RollCall, State } from "./state.ts";
import { beginStop } from "./stopping.ts";
import { log, type Turn, tally } from "./turn.ts";

export interface Headcount {
  readonly agent: number;
  readonly worker: number;
  /** Share of the time since the last roll call without any ready worker. */
  readonly absentShare: number;
}

/** Whether all that must be present is. A crash loop cannot hide between two samples: more than half of the time without a ready worker is a strike too. */
function isPresent(count: Headcount): boolean {
  return count.agent > 0 && count.worker > 0 && count.absentShare <= 0.5;
}

export function startRollCall(turn: Turn): void {
  const { now } = turn;
  turn.state = {
    ...turn.state,
    rollCall: { ...turn.state.rollCall, nextAt: now + turn.state.settings.rollCallPeriodMs, lastAt: now, absentMs: 0 },
  };
}

/** Takes the roll call when it is due, and the exception's consequence when its linger is over. */
export function takeRollCall(turn: Turn): void {
  const { rollCall, settings, stop } = turn.state;
  if (stop !== null) return;
  if (rollCall.raisedAt !== null && settings.onException === "exit" && turn.now >= rollCall.raisedAt + settings.lingerMs) {
    beginStop(turn, "roll-call");
    return;
  }
  // Once the exception is raised, "exit" is decided: no further call changes it.
  if (rollCall.raisedAt !== null && settings.onException === "exit") return;
  if (rollCall.nextAt === null || turn.now < rollCall.nextAt) return;
  const count = countHeads(turn.state, turn.now);
  const present = isPresent(count);
  tally(turn, { metric: "roll-calls", result: present ? "success" : "failure" });
  const next: RollCall = {
    ...rollCall,
    nextAt: turn.now + settings.rollCallPeriodMs,
    lastAt: turn.now,
    absentMs: 0,
    absentSince: rollCall.absentSince === null ? null : turn.now,
    strikes: present ? 0 : rollCall.strikes + 1,
    raisedAt: present ? null : rollCall.raisedAt,
  };
  turn.state = { ...turn.state, rollCall: next };
  if (present) {
    if (rollCall.strikes > 0) log(turn, "info", "roll call: everybody is present again", { strikes: 0 });
    return;
  }
  const fields = { strikes: next.strikes, threshold: settings.failureThreshold, count: { agent: count.agent, worker: count.worker } };
  const strike =
    rollCall.raisedAt === null ? `strike ${next.strikes} of ${settings.failureThreshold}` : `strike ${next.strikes}, still failing`;
  log(turn, "warn", `roll call: ${strike}: ${describeCount(count)}`, fields);
  if (next.strikes >= settings.failureThreshold && next.raisedAt === null) raise(turn, next, fields);
}

/** When takeRollCall has something to do: the next call, or the exit that was decided. */
export function rollCallDueAt({ rollCall, settings }: State): number {
  if (rollCall.raisedAt !== null && settings.onException === "exit") return rollCall.raisedAt + settings.lingerMs;
  return rollCall.nextAt ?? Number.POSITIVE_INFINITY;
}

/** Keeps account of the time without a ready worker. Runs at the end of every step. */
export function noteAbsence(turn: Turn): void {
  const { rollCall } = turn.state;
  const absent = countReadyWorkers(turn.state) === 0;
  if (absent === (rollCall.absentSince !== null)) return;
  turn.state = {
    ...turn.state,
    rollCall: absent
      ? { ...rollCall, absentSince: turn.now }
      : { ...rollCall, absentSince: null, absentMs: rollCall.absentMs + absenceSince(rollCall, turn.now) },
  };
}

function countHeads(state: State, now: number): Headcount {
  const { agent, rollCall, settings } = state;
  const agentLife = agent === null ? null : readyLife(agent);
  const agentPresent = agent === null || (agentLife !== null && isResponsive(agentLife, settings, now));
  const elapsed = Math.max(1, now - rollCall.lastAt);
  return {
    agent: agentPresent ? 1 : 0,
    worker: countResponsiveWorkers(state, now),
    absentShare: (rollCall.absentMs + absenceSince(rollCall, now)) / elapsed,
  };
}

function absenceSince(rollCall: RollCall, now: number): number {
  return rollCall.absentSince === null ? 0 : now - Math.max(rollCall.absentSince, rollCall.lastAt);
}

function raise(turn: Turn, rollCall: RollCall, fields: Readonly<Record<string, unknown>>): void {
  const { settings } = turn.state;
  turn.state = { ...turn.state, rollCall: { ...rollCall, raisedAt: turn.now } };
  const then =
    settings.onException === "exit"
      ? `exiting with code 5 in ${settings.lingerMs} ms`
      : "reporting only, as on-exception says; liveness fails";
  log(turn, "error", `ClusterWorkerExceptionError: ${settings.failureThreshold} roll calls failed in a row; ${then}`, {
    ...fields,
    error: "ClusterWorkerExceptionError",
  });
}

function describeCount({ agent, worker, absentShare }: Headcount): string {
  const away = absentShare > 0.5 ? `, and for ${Math.round(absentShare * 100)} % of the time since the last one none was ready` : "";
  const workers = worker === 0 ? "no worker is present" : `${worker} ${worker === 1 ? "worker is" : "workers are"} present`;
  return `${agent === 0 ? "the agent is absent, " : ""}${workers}${away}`;
}
