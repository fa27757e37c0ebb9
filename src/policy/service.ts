// step(state, event, moment) → { state, effects }: the whole service as one pure function. The master only feeds it facts and performs its effects.
import type { ExitReason } from "../errors.ts";
import { checkLife, deadlineOf, onBeat, onClosed, onExited, onFaulted, onForked, onReadied } from "./lives.ts";
import { emptySlot, reconcile, scaleTo, wakeTimes } from "./reconcile.ts";
import { crashLooping } from "./restart.ts";
import { noteAbsence, startRollCall, takeRollCall } from "./roll-call.ts";
import { abortRollout, beginReload } from "./rollout.ts";
import { allSlots, readyLife, suspectAfterMs } from "./select.ts";
import type { Event, Life, Moment, Settings, Signal, Slot, State, Step } from "./state.ts";
import { beginStop, continueStop, onStopSignal } from "./stopping.ts";
import { beginTurn, log, putSlot, type Turn, tally } from "./turn.ts";

/** The clock ticks at least this often, so that a longer gap between two steps means that the master itself was suspended. */
export const TICK_MS = 1_000;
const SUSPENDED_MS = TICK_MS + 2_000;

export function initialState(settings: Settings, now: number): State {
  return {
    settings,
    phase: "booting-agent",
    steppedAt: now,
    nextLife: 1,
    generation: 1,
    workersTarget: settings.workerCount,
    agent: settings.hasAgent ? emptySlot("agent", 0, "boot", now) : null,
    workers: [],
    rollCall: { nextAt: null, lastAt: now, strikes: 0, raisedAt: null, absentSince: now, absentMs: 0 },
    rollout: null,
    stop: null,
  };
}

export function step(state: State, event: Event, moment: Moment): Step {
  const turn = beginTurn(state, moment);
  forgiveSuspension(turn);
  happen(turn, event);
  const before = turn.state.phase;
  reconcile(turn);
  // The last worker's readiness ends the boot: only then is there something to call the roll of, and room for scale and reload.
  if (before !== turn.state.phase) reconcile(turn);
  if (turn.state.phase === "running" && turn.state.rollCall.nextAt === null) startRollCall(turn);
  noteDown(turn);
  noteAbsence(turn);
  continueStop(turn);
  turn.state = { ...turn.state, steppedAt: turn.now };
  return { state: turn.state, effects: turn.effects };
}

/** When the next clock event is needed: the earliest deadline, or one tick from now. */
export function nextDeadline(state: State, now: number): number {
  const { settings, rollCall, stop } = state;
  const moments = allSlots(state).flatMap((slot) =>
    slot.lives.map((life) => deadlineOf(life, settings.heartbeatTimeoutMs, suspectAfterMs(settings))),
  );
  if (stop === null) {
    moments.push(...wakeTimes(state), rollCall.nextAt ?? Number.POSITIVE_INFINITY);
    if (rollCall.raisedAt !== null && settings.onException === "exit") moments.push(rollCall.raisedAt + settings.lingerMs);
    if (state.agent?.downSince != null) {
      const graceUntil = state.agent.downSince + settings.agentGraceMs;
      if (graceUntil > now) moments.push(graceUntil);
    }
  } else {
    if (stop.stage === "delaying") moments.push(stop.delayUntil);
    moments.push(stop.deadlineAt);
  }
  return Math.min(now + TICK_MS, ...moments);
}

function happen(turn: Turn, event: Event): void {
  switch (event.type) {
    case "clock":
      for (const slot of allSlots(turn.state)) for (const life of slot.lives) checkLife(turn, slot, life);
      return takeRollCall(turn);
    case "signalled":
      return onSignal(turn, event.signal);
    case "forked":
      return onForked(turn, event.life, event.pid);
    case "readied":
      return onReadied(turn, event.life);
    case "beat":
      return onBeat(turn, event.life, event.sample);
    case "faulted":
      onFaulted(turn, event);
      return checkCrashLoop(turn);
    case "closed":
      return onClosed(turn, event.life);
    case "exited": {
      const ended = onExited(turn, event);
      if (ended !== null && turn.state.stop === null) judgeEnd(turn, ended.slot, ended.life);
      return;
    }
    case "failed":
      return beginStop(turn, event.reason);
    default:
      event satisfies never;
  }
}

function onSignal(turn: Turn, signal: Signal): void {
  tally(turn, { metric: "signals", signal });
  switch (signal) {
    case "SIGTERM":
    case "SIGINT":
    case "SIGQUIT":
      return onStopSignal(turn, signal);
    case "SIGHUP":
      return beginReload(turn);
    case "SIGTTIN":
      return scaleTo(turn, turn.state.workersTarget + 1);
    case "SIGTTOU":
      return scaleTo(turn, turn.state.workersTarget - 1);
    case "SIGUSR2":
      turn.effects.push({ type: "print-status" });
      return;
    default:
      signal satisfies never;
  }
}

/** What an end means for the service: a failed start, an aborted reload, or perhaps a crash loop. */
function judgeEnd(turn: Turn, slot: Slot, life: Life): void {
  const neverReady = life.state === "starting" || (life.state === "killing" && life.cause === "boot-timeout");
  if (turn.state.phase !== "running") return beginStop(turn, bootFailure(slot, life));
  if (neverReady) abortRollout(turn, slot, life);
  if (neverReady && life.reason === "reload") return forgiveReload(turn, slot);
  checkCrashLoop(turn);
}

function bootFailure(slot: Slot, life: Life): ExitReason {
  if (life.fault?.code === "EADDRINUSE") return "port-conflict";
  return slot.role === "agent" ? "agent-boot" : "worker-boot";
}

/** A bad generation is not the slot's failure: the old worker, which still serves, keeps its record. */
function forgiveReload(turn: Turn, slot: Slot): void {
  turn.state = {
    ...turn.state,
    workers: turn.state.workers.map((other) =>
      other.index === slot.index ? { ...other, failures: slot.failures, restUntil: slot.restUntil, nextReason: slot.nextReason } : other,
    ),
  };
}

function checkCrashLoop(turn: Turn): void {
  const { stop, phase, rollCall, settings } = turn.state;
  if (stop !== null || phase !== "running") return;
  // The first to be reached names the exit: after the last strike that is the roll call, whose exit only lingers.
  if (rollCall.raisedAt !== null && settings.onException === "exit") return;
  const who = crashLooping(turn.state);
  if (who === null) return;
  const { maxRestarts } = turn.state.settings;
  const subject = who === "agent" ? "the agent" : "every worker";
  log(turn, "error", `crash loop: ${subject} failed ${maxRestarts} times in a row (max-restarts)`, { crashLoop: who, maxRestarts });
  beginStop(turn, "crash-loop");
}

/** Keeps account of since when each slot has nothing ready. */
function noteDown(turn: Turn): void {
  for (const slot of allSlots(turn.state)) {
    const isDown = readyLife(slot) === null;
    if (isDown !== (slot.downSince !== null)) putSlot(turn, { ...slot, downSince: isDown ? turn.now : null });
  }
}

/** Heartbeats that were lost because the master itself stood still kill nobody: the gap is given back to everyone who waits. */
function forgiveSuspension(turn: Turn): void {
  const gapMs = turn.now - turn.state.steppedAt;
  if (gapMs < SUSPENDED_MS) return;
  log(turn, "warn", `the master stood still for ${Math.round(gapMs)} ms; deadlines of the children are moved by as much`, {
    gapMs: Math.round(gapMs),
  });
  const forgiven = (slot: Slot): Slot => ({ ...slot, lives: slot.lives.map((life) => forgive(life, gapMs, turn.now)) });
  turn.state = { ...turn.state, agent: turn.state.agent && forgiven(turn.state.agent), workers: turn.state.workers.map(forgiven) };
}

function forgive(life: Life, gapMs: number, now: number): Life {
  switch (life.state) {
    case "starting":
      return { ...life, deadlineAt: life.deadlineAt + gapMs };
    case "ready":
      return { ...life, lastSeenAt: now };
    case "draining":
    case "killing":
      return life;
    default:
      return life satisfies never;
  }
}
