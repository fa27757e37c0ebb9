// A child's life: starting → ready → draining → killing → gone. Pure; every transition of one life is in this file.
// A fact that comes late, in a state where it means nothing, changes nothing.

import { describeEnd } from "./endings.ts";
import type { Event } from "./events.ts";
import type { DrainCause, Draining, Fault, KillCause, Killing, Life, Outcome, Ready, Role, Sample, Slot, StartReason } from "./life.ts";
import { noteFailedSuccessor, noteLimits } from "./renewal.ts";
import { backoffMs, classifyExit, isShortLived } from "./restart.ts";
import { findLife, hasPredecessor, suspectAfterMs } from "./select.ts";
import { awaited, called, log, naming, putLife, putSlot, type Turn, tally } from "./turn.ts";

export function onForked(turn: Turn, { life: id, pid, thread }: Extract<Event, { type: "forked" }>): void {
  const found = findLife(turn.state, id);
  if (found !== null) putLife(turn, found.slot, { ...found.life, pid, thread });
}

export function onReadied(turn: Turn, id: number): void {
  const found = findLife(turn.state, id);
  // The word of a fault overtakes what was said before it: who has one will not serve.
  if (found?.life.state !== "starting" || found.life.fault !== null) return;
  const { slot, life } = found;
  const bootSeconds = (turn.now - life.forkedAt) / 1_000;
  const ready: Ready = {
    ...identity(life),
    state: "ready",
    readyAt: turn.now,
    lastSeenAt: turn.now,
    suspected: false,
    renewal: null,
    renewalSample: null,
  };
  putLife(turn, slot, ready);
  tally(turn, { metric: "boot-seconds", role: slot.role, value: bootSeconds });
  log(
    turn,
    "info",
    `${called(slot)} ready in ${Math.round(bootSeconds * 1_000)} ms, pid ${life.pid}${life.thread === null ? "" : `, thread ${life.thread} of the master`}`,
    {
      ...naming(slot, ready),
      bootMs: Math.round(bootSeconds * 1_000),
    },
  );
}

export function onBeat(turn: Turn, id: number, said: Sample): void {
  const found = findLife(turn.state, id);
  if (found === null) return;
  const { slot, life } = found;
  // Totals never go backwards, whatever a child says.
  const requests = Math.max(said.requests, life.sample?.requests ?? 0);
  const sample = { ...said, requests, cpuSeconds: Math.max(said.cpuSeconds, life.sample?.cpuSeconds ?? 0) };
  if (life.state !== "ready") {
    putLife(turn, slot, { ...life, sample });
    return;
  }
  if (life.suspected) log(turn, "info", `${called(slot)} answers again`, naming(slot, life));
  const seen: Ready = { ...life, sample, lastSeenAt: turn.now, suspected: false };
  noteLimits(turn, putLife(turn, slot, seen), seen);
}

/** A child without a channel drains by itself; it may need longer for that than it may be silent. */
export const CHANNEL_LOST: Fault = {
  name: "Error",
  message: "it has lost its channel to the master, drains and is replaced",
  stack: "",
  code: "ERR_IPC_DISCONNECTED",
  port: null,
};

/** An uncaught exception: a ready child drains itself and no longer holds its slot; a starting one is about to exit. */
export function onFaulted(turn: Turn, id: number, fault: Fault): void {
  const found = findLife(turn.state, id);
  if (found === null) return;
  const { slot, life } = found;
  const held = putLife(turn, slot, { ...life, fault });
  log(turn, "error", `${called(slot)}: ${fault.name}: ${fault.message}`, { ...naming(slot, life), stack: fault.stack });
  if (life.state !== "ready") return;
  const deadlineAt = turn.now + turn.state.settings.stopTimeoutMs;
  const draining: Draining = {
    ...identity({ ...life, fault }),
    state: "draining",
    readyAt: life.readyAt,
    cause: "crash",
    drainAt: turn.now,
    deadlineAt,
    accepting: false,
  };
  const left = putLife(turn, held, draining);
  if (countsAgainstSlot(slot, life)) putSlot(turn, noteEnd(left, life, turn, "crash"));
  orderDrain(turn, life.id, deadlineAt);
}

/** Plain node would end such a process. It is given its time: who knows what may still wake it. */
export function onIdled(turn: Turn, id: number): void {
  const found = findLife(turn.state, id);
  if (found?.life.state !== "starting") return;
  const { slot, life } = found;
  const { settings } = turn.state;
  const until = `until boot-timeout (${settings.bootTimeoutMs} ms)`;
  const message = `${called(slot)} is not ready and has nothing left to do (node by itself would end it); waiting for ${awaited(slot, settings)}, ${until}`;
  log(turn, "warn", message, naming(slot, life));
}

/** The child's listeners are closed: the next slot of a reload may go on. */
export function onClosed(turn: Turn, id: number): void {
  const found = findLife(turn.state, id);
  if (found?.life.state === "draining") putLife(turn, found.slot, { ...found.life, accepting: false });
}

/** A life that has ended, and the slot that it was in. */
export interface Ended {
  readonly slot: Slot;
  readonly life: Life;
  readonly outcome: Outcome;
}

/** Takes the ended life out of its slot, keeps its counters, and says how it ended. */
export function onExited(turn: Turn, event: Extract<Event, { type: "exited" }>): Ended | null {
  const found = findLife(turn.state, event.life);
  if (found === null) return null;
  const { slot, life } = found;
  const outcome = classifyExit(life, event.signal, event.oom);
  tally(turn, { metric: "exits", role: slot.role, outcome });
  if (life.state === "draining") tally(turn, { metric: "drain-seconds", role: slot.role, value: (turn.now - life.drainAt) / 1_000 });
  const expected = outcome === "clean" || turn.state.stop !== null;
  log(turn, expected ? "info" : "error", `${called(slot)} ${describeEnd(life, event, outcome)}`, {
    ...naming(slot, life),
    outcome,
    code: event.code,
    signal: event.signal,
  });
  const rest = {
    ...slot,
    lives: slot.lives.filter((other) => other.id !== life.id),
    lastExit: { at: turn.now, pid: life.pid, outcome, code: event.code, signal: event.signal },
    endedRequests: slot.endedRequests + (life.sample?.requests ?? 0),
    endedCpuSeconds: slot.endedCpuSeconds + (life.sample?.cpuSeconds ?? 0),
  };
  // A life that was already drained or killed had its end noted when it stopped holding the slot.
  putSlot(turn, countsAgainstSlot(slot, life) ? noteEnd(rest, life, turn, "crash") : rest);
  if (life.state === "starting") noteFailedSuccessor(turn, slot, life);
  return { slot, life, outcome };
}

/** Asks a life to drain until `deadlineAt`; an earlier deadline replaces a later one. */
export function drainLife(turn: Turn, role: Role, id: number, cause: DrainCause, deadlineAt: number): void {
  const found = findLife(turn.state, id);
  if (found === null || found.slot.role !== role) return;
  const { slot, life } = found;
  if (life.state === "killing") return;
  if (life.state === "draining" && life.deadlineAt <= deadlineAt) return;
  const draining: Draining =
    life.state === "draining"
      ? { ...life, deadlineAt }
      : {
          ...identity(life),
          state: "draining",
          readyAt: life.state === "ready" ? life.readyAt : null,
          cause,
          drainAt: turn.now,
          deadlineAt,
          accepting: true,
        };
  putLife(turn, slot, draining);
  const budgetMs = orderDrain(turn, id, deadlineAt);
  log(turn, "debug", `${called(slot)} draining`, { ...naming(slot, life), cause, budgetMs: Math.round(budgetMs) });
}

export function killLife(turn: Turn, id: number, cause: KillCause): void {
  const found = findLife(turn.state, id);
  if (found === null || found.life.state === "killing") return;
  const { slot, life } = found;
  const killing: Killing = { ...identity(life), state: "killing", readyAt: life.state === "starting" ? null : life.readyAt, cause };
  const next = putLife(turn, slot, killing);
  if (countsAgainstSlot(slot, life)) putSlot(turn, noteEnd(next, life, turn, cause === "unresponsive" ? "unresponsive" : "crash"));
  if (life.state === "starting") noteFailedSuccessor(turn, slot, life);
  if (turn.state.stop !== null) turn.state = { ...turn.state, stop: { ...turn.state.stop, forced: true } };
  // In a stop nobody waits to know what hangs.
  const examine = turn.state.stop === null && (cause === "unresponsive" || cause === "boot-timeout");
  turn.effects.push({ type: "kill", life: id, examine });
}

/** Deadlines and silences that have come. */
export function checkLife(turn: Turn, id: number): void {
  const found = findLife(turn.state, id);
  if (found === null) return;
  const { slot, life } = found;
  const { settings } = turn.state;
  const complain = (message: string, more = {}) => log(turn, "error", `${called(slot)} ${message}`, { ...naming(slot, life), ...more });
  switch (life.state) {
    case "starting":
      if (turn.now < life.deadlineAt) return;
      complain(`was not ready within ${settings.bootTimeoutMs} ms (boot-timeout): killing it; waited for ${awaited(slot, settings)}`);
      return killLife(turn, id, "boot-timeout");
    case "ready": {
      const silentMs = turn.now - life.lastSeenAt;
      if (silentMs >= settings.heartbeatTimeoutMs) {
        complain(`has not answered for ${Math.round(silentMs)} ms (heartbeat-timeout): killing and replacing it`, {
          silentMs: Math.round(silentMs),
        });
        return killLife(turn, id, "unresponsive");
      }
      const suspected = silentMs >= suspectAfterMs(settings);
      if (suspected && !life.suspected) {
        log(turn, "warn", `${called(slot)} has not answered for ${Math.round(silentMs)} ms`, naming(slot, life));
      }
      const failures = isShortLived(life, settings.backoff, turn.now) ? slot.failures : 0;
      putLife(turn, { ...slot, failures }, { ...life, suspected: suspected || life.suspected });
      return;
    }
    case "draining":
      if (turn.now < life.deadlineAt) return;
      complain("did not end by its deadline: killing it");
      return killLife(turn, id, "drain-timeout");
    case "killing":
      return;
    default:
      life satisfies never;
  }
}

/** The next moment at which checkLife has something to do. */
export function deadlineOf(life: Life, heartbeatTimeoutMs: number, suspectMs: number): number {
  switch (life.state) {
    case "starting":
    case "draining":
      return life.deadlineAt;
    case "ready":
      return life.lastSeenAt + (life.suspected ? heartbeatTimeoutMs : suspectMs);
    case "killing":
      return Number.POSITIVE_INFINITY;
    default:
      return life satisfies never;
  }
}

/** Whether the unasked end of a life is its slot's failure. A bad successor is not: the old worker, which still serves, keeps its record. */
function countsAgainstSlot(slot: Slot, life: Life): boolean {
  if (life.state === "ready") return !hasPredecessor(slot, life);
  if (life.state !== "starting") return false;
  // Even when its predecessor is gone, a bad generation is the reload's failure. One agent: it has no predecessor.
  return life.reason === "reload" ? slot.role === "agent" : !hasPredecessor(slot, life);
}

/** An unasked end: counts the failure or forgets the old ones, and works out when and why the next life starts. */
function noteEnd(slot: Slot, life: Life, turn: Turn, reason: StartReason): Slot {
  const { backoff } = turn.state.settings;
  const failures = isShortLived(life, backoff, turn.now) ? slot.failures + 1 : 0;
  const delayMs = backoffMs(failures, backoff, turn.random);
  if (delayMs > 0 && turn.state.phase === "running" && turn.state.stop === null) {
    log(turn, "warn", `${called(slot)} starts again in ${delayMs} ms`, { role: slot.role, slot: slot.index, failures, delayMs });
  }
  return { ...slot, failures, nextReason: reason, restUntil: turn.now + delayMs };
}

/** Tells the child its budget: a child that drains by itself, after a fault, hears so when it will be killed. */
function orderDrain(turn: Turn, id: number, deadlineAt: number): number {
  const budgetMs = Math.max(0, deadlineAt - turn.now - killSlackMs(deadlineAt - turn.now));
  const { settings, stop } = turn.state;
  const isLast = stop !== null && stop.stage !== "delaying";
  turn.effects.push({ type: "drain", life: id, budgetMs, idleMs: Math.min(settings.drainIdleMs, budgetMs / 2), isLast });
  return budgetMs;
}

/** A child gets this much less than its deadline, so that it can end by itself before it is killed. */
function killSlackMs(budgetMs: number): number {
  return Math.min(500, budgetMs * 0.1);
}

function identity(life: Life) {
  const { id, pid, thread, generation, reason, forkedAt, fault, sample, queues, limits, ailments } = life;
  return { id, pid, thread, generation, reason, forkedAt, fault, sample, queues, limits, ailments };
}
