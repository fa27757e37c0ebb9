// step(state, event, moment) → { state, effects }: the whole service as one pure function. The master only feeds it facts and performs its effects.
import { abortByFault, checkCrashLoop, judgeEnd } from "./consequences.ts";
import type { Event, Order, Signal } from "./events.ts";
import { onHealth } from "./health.ts";
import type { Life, Slot } from "./life.ts";
import { CHANNEL_LOST, checkLife, deadlineOf, onBeat, onClosed, onExited, onFaulted, onForked, onIdled, onReadied } from "./lives.ts";
import { emptySlot, reconcile, scaleTo, wakeTimes } from "./reconcile.ts";
import { noteAbsence, rollCallDueAt, startRollCall, takeRollCall } from "./roll-call.ts";
import { beginEarlyReload, beginReload, noteTrial, trialEndsAt } from "./rollout.ts";
import { allSlots, findLife, readyLife, suspectAfterMs } from "./select.ts";
import type { Moment, Settings, State, Step } from "./state.ts";
import { beginStop, continueStop, giveUpAt, onStopOrder, onStopSignal } from "./stopping.ts";
import { renewalTimes, restartChild } from "./succession.ts";
import { beginTurn, log, putSlot, type Turn, tally } from "./turn.ts";

/** The clock ticks at least this often, so that a longer gap between two steps means that the master itself was suspended. */
export const TICK_MS = 1_000;
/** A short heartbeat-timeout needs a finer clock: three missed ticks are a suspension, and far less than the timeout. */
const TICKS_PER_HEARTBEAT_TIMEOUT = 8;
const MIN_TICK_MS = 50;
const SUSPENDED_TICKS = 3;

export function initialState(settings: Settings, now: number): State {
  return {
    settings,
    phase: "booting-agent",
    steppedAt: now,
    nextLife: 1,
    generation: 1,
    servedGeneration: 0,
    workersTarget: settings.workerCount,
    queues: 0,
    agent: settings.hasAgent ? emptySlot("agent", 0, "boot", now) : null,
    workers: [],
    retired: [],
    rollCall: { nextAt: null, lastAt: now, strikes: 0, raisedAt: null, absentSince: now, absentMs: 0 },
    rollout: null,
    earlyReload: null,
    lastRollout: null,
    maintenance: false,
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
  if (before !== turn.state.phase) {
    beginEarlyReload(turn);
    reconcile(turn);
  }
  if (turn.state.phase === "running" && turn.state.rollCall.nextAt === null) startRollCall(turn);
  noteDown(turn);
  noteServed(turn);
  noteAbsence(turn);
  continueStop(turn);
  turn.state = { ...turn.state, steppedAt: turn.now };
  return { state: turn.state, effects: turn.effects };
}

/** When the next clock event is needed: the earliest deadline, or one tick from now. */
export function nextDeadline(state: State, now: number): number {
  const { settings, stop } = state;
  const slots = allSlots(state);
  const moments = slots.flatMap((slot) =>
    slot.lives.map((life) => deadlineOf(life, settings.heartbeatTimeoutMs, suspectAfterMs(settings))),
  );
  if (stop === null) {
    moments.push(...wakeTimes(state), ...renewalTimes(state, now), rollCallDueAt(state));
    if (trialEndsAt(state) > now) moments.push(trialEndsAt(state));
    if (state.agent?.downSince != null) {
      const graceUntil = state.agent.downSince + settings.agentGraceMs;
      if (graceUntil > now) moments.push(graceUntil);
    }
  } else {
    if (stop.stage === "delaying") moments.push(stop.delayUntil);
    // What is already killed waits for the kernel, for a while.
    const isPending = slots.some((slot) => slot.lives.some((life) => life.state !== "killing"));
    moments.push(isPending && now < stop.deadlineAt ? stop.deadlineAt : giveUpAt(state, stop));
  }
  return Math.min(now + tickMs(settings), ...moments);
}

function tickMs(settings: Settings): number {
  return Math.min(TICK_MS, Math.max(MIN_TICK_MS, settings.heartbeatTimeoutMs / TICKS_PER_HEARTBEAT_TIMEOUT));
}

function happen(turn: Turn, event: Event): void {
  switch (event.type) {
    case "clock":
      for (const slot of allSlots(turn.state)) for (const { id } of slot.lives) checkLife(turn, id);
      return takeRollCall(turn);
    case "signalled":
      return onSignal(turn, event.signal);
    case "ordered":
      return onOrder(turn, event.order);
    case "forked":
      return onForked(turn, event);
    case "readied":
      onReadied(turn, event.life);
      return noteTrial(turn, event.life);
    case "beat":
      return onBeat(turn, event.life, event.sample);
    case "faulted":
      onFaulted(turn, event.life, event.fault);
      abortByFault(turn, event.life);
      return checkCrashLoop(turn);
    case "disconnected":
      if (isLeaving(turn, event.life)) return;
      return happen(turn, { type: "faulted", life: event.life, fault: CHANNEL_LOST });
    case "closed":
      return onClosed(turn, event.life);
    case "idled":
      return onIdled(turn, event.life);
    case "health":
      return onHealth(turn, event);
    case "exited": {
      const ended = onExited(turn, event);
      if (ended !== null && turn.state.stop === null) judgeEnd(turn, ended);
      return;
    }
    case "failed":
      return beginStop(turn, event.reason);
    default:
      event satisfies never;
  }
}

/** It was told to end, or has said why it will. */
function isLeaving(turn: Turn, id: number): boolean {
  const life = findLife(turn.state, id)?.life;
  return life === undefined || life.state === "draining" || life.state === "killing" || life.fault !== null;
}

function onSignal(turn: Turn, signal: Signal): void {
  tally(turn, { metric: "signals", signal });
  switch (signal) {
    case "SIGTERM":
    case "SIGINT":
    case "SIGQUIT":
      return onStopSignal(turn, signal);
    case "SIGHUP":
      return beginReload(turn, false);
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

function onOrder(turn: Turn, order: Order): void {
  switch (order.kind) {
    case "reload":
      return beginReload(turn, order.agent);
    case "restart":
      return restartChild(turn, order.role, order.slot);
    case "scale":
      return scaleTo(turn, order.workers);
    case "maintain":
      return maintain(turn, order.on);
    case "stop":
      return onStopOrder(turn, order.fast);
    default:
      order satisfies never;
  }
}

/** Takes the service out of its balancer, or back in, and touches nothing else. */
function maintain(turn: Turn, on: boolean): void {
  if (turn.state.maintenance === on) return;
  turn.state = { ...turn.state, maintenance: on };
  log(
    turn,
    "info",
    on ? "drained: readiness is false until it is taken back; workers keep serving" : "undrained: readiness follows the workers again",
  );
}

/** Keeps account of since when each slot has nothing ready. */
function noteDown(turn: Turn): void {
  for (const slot of allSlots(turn.state)) {
    const isDown = readyLife(slot) === null;
    if (isDown !== (slot.downSince !== null)) putSlot(turn, { ...slot, downSince: isDown ? turn.now : null });
  }
}

/** A generation that failed on trial serves no longer: what served before it does. While none serves, the last one counts. */
function noteServed(turn: Turn): void {
  const serving = turn.state.workers.flatMap(({ lives }) =>
    lives.filter(({ state }) => state === "ready").map(({ generation }) => generation),
  );
  if (serving.length > 0) turn.state = { ...turn.state, servedGeneration: Math.max(...serving) };
}

/** Heartbeats that were lost because the master itself stood still kill nobody: the pause is given back to everyone who waits. */
function forgiveSuspension(turn: Turn): void {
  const { steppedAt, settings, stop } = turn.state;
  const gapMs = turn.now - steppedAt;
  if (gapMs < SUSPENDED_TICKS * tickMs(settings)) return;
  log(turn, "warn", `the master stood still for ${Math.round(gapMs)} ms; deadlines of the children are moved by as much`, {
    gapMs: Math.round(gapMs),
  });
  const pause: Pause = { gapMs, lateMs: Math.max(0, turn.now - nextDeadline(turn.state, steppedAt)), isStopping: stop !== null };
  const forgiven = (slot: Slot): Slot => ({ ...slot, lives: slot.lives.map((life) => forgive(life, pause)) });
  turn.state = { ...turn.state, agent: turn.state.agent && forgiven(turn.state.agent), workers: turn.state.workers.map(forgiven) };
}

interface Pause {
  /** Since the last step: somewhere in it the pause began. */
  readonly gapMs: number;
  /** Since the moment that the clock was set for: this long it lasted at least. */
  readonly lateMs: number;
  /** Whoever counts the seconds of a stop has not stood still. */
  readonly isStopping: boolean;
}

function forgive(life: Life, { gapMs, lateMs, isStopping }: Pause): Life {
  switch (life.state) {
    case "starting":
      return { ...life, deadlineAt: life.deadlineAt + gapMs };
    case "ready":
      // The pause alone, and none of the time before it: else a child that hangs would never be found by a master that pauses again and again.
      return { ...life, lastSeenAt: life.lastSeenAt + lateMs };
    case "draining":
      return isStopping ? life : { ...life, deadlineAt: life.deadlineAt + gapMs };
    case "killing":
      return life;
    default:
      return life satisfies never;
  }
}
