// The stop: one budget for all of it, workers before the agent, and the exit code that says how it ended. Pure.
import { EXIT_CODES, type ExitReason } from "../errors.ts";
import type { StopSignal } from "./events.ts";
import type { Life, Slot } from "./life.ts";
import { drainLife, killLife } from "./lives.ts";
import { allSlots, countReadyWorkers } from "./select.ts";
import type { Settings, State, Stop } from "./state.ts";
import { log, type Turn } from "./turn.ts";

/** A terminal and npm each send INT: copies within this time are one signal. */
const ECHO_MS = 500;
/** A fast stop: what is left after this is SIGKILLed. */
const FAST_STOP_MS = 2_000;
/** How long after the deadline what was killed may take to be gone. */
const GIVE_UP_MS = 2_000;
/** Signal numbers for 128 + n. */
const SIGNAL_NUMBERS: Readonly<Record<StopSignal, number>> = { SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 };

/** Starts the one stop there is; the first cause wins. */
export function beginStop(turn: Turn, asked: ExitReason, signal: StopSignal | null = null): void {
  if (turn.state.stop !== null) return;
  const { settings, rollCall } = turn.state;
  // The exit of the last strike only lingers: a signal meanwhile, perhaps the answer to it, does not make it a clean stop.
  const reason = asked === "ok" && rollCall.raisedAt !== null && settings.onException === "exit" ? "roll-call" : asked;
  // A delay keeps accepting for balancers that have not heard yet; where nobody serves there is nothing to wait for.
  const delayMs = reason === "ok" && countReadyWorkers(turn.state) > 0 ? settings.drainDelayMs : 0;
  turn.state = {
    ...turn.state,
    rollout: null,
    stop: {
      reason,
      stage: "delaying",
      delayUntil: turn.now + delayMs,
      deadlineAt: turn.now + settings.stopTimeoutMs,
      forced: false,
      firstSignalAt: signal === null ? null : turn.now,
      fastSignal: null,
      holding: true,
    },
  };
  log(turn, reason === "ok" ? "info" : "error", describeStart(reason, signal, settings, delayMs), {
    ...(signal === null ? {} : { signal }),
    exitCode: EXIT_CODES[reason],
    budgetMs: settings.stopTimeoutMs,
  });
}

/** A stop signal: the first one starts the stop, a second one later than its echoes makes it fast. */
export function onStopSignal(turn: Turn, signal: StopSignal): void {
  const { stop } = turn.state;
  if (stop === null) return beginStop(turn, "ok", signal);
  if (stop.firstSignalAt === null) {
    turn.state = { ...turn.state, stop: { ...stop, firstSignalAt: turn.now } };
    return;
  }
  if (turn.now - stop.firstSignalAt < ECHO_MS) return;
  hurry(turn, stop, signal);
}

/** An operator's stop: as the first signal would, and, if it is to be fast, as a second one right behind it. */
export function onStopOrder(turn: Turn, fast: boolean): void {
  beginStop(turn, "ok", "SIGTERM");
  if (fast && turn.state.stop !== null) hurry(turn, turn.state.stop, "SIGTERM");
}

function hurry(turn: Turn, stop: Stop, signal: StopSignal): void {
  if (stop.fastSignal !== null) return;
  const deadlineAt = Math.min(stop.deadlineAt, turn.now + FAST_STOP_MS);
  turn.state = { ...turn.state, stop: { ...stop, fastSignal: signal, delayUntil: turn.now, deadlineAt } };
  log(turn, "warn", `second ${signal}: fast stop, what is left in ${FAST_STOP_MS} ms is killed`, { signal });
  for (const slot of allSlots(turn.state)) for (const life of slot.lives) drainLife(turn, slot.role, life.id, "stop", deadlineAt);
}

/** Moves the stop on as far as it goes: delay, workers, agent, exit. Called at the end of every step while stopping. */
export function continueStop(turn: Turn): void {
  let { stop } = turn.state;
  if (stop === null || stop.stage === "finished") return;
  if (stop.stage === "delaying" && turn.now >= stop.delayUntil) {
    stop = enter(turn, stop, "workers");
    const deadlineAt = stop.fastSignal === null ? workersDeadline(turn.state, stop) : stop.deadlineAt;
    for (const slot of turn.state.workers) for (const life of slot.lives) drainLife(turn, "worker", life.id, "stop", deadlineAt);
  }
  if (stop.holding && stop.stage !== "delaying" && turn.state.workers.every((slot) => !slot.lives.some(isAccepting))) {
    // Nobody accepts any more: what comes now is refused at once, instead of waiting for nothing.
    stop = { ...stop, holding: false };
    turn.state = { ...turn.state, stop };
    turn.effects.push({ type: "close-queues" });
  }
  if (stop.stage === "workers" && turn.state.workers.every(isEmpty)) {
    stop = enter(turn, stop, "agent");
    const { agent } = turn.state;
    const deadlineAt = stop.fastSignal === null ? agentDeadline(turn.state.settings, stop) : stop.deadlineAt;
    for (const life of agent?.lives ?? []) drainLife(turn, "agent", life.id, "stop", deadlineAt);
  }
  if (stop.stage === "agent" && (turn.state.agent === null || isEmpty(turn.state.agent))) return finish(turn, stop);
  // A belt for what the deadlines of the lives did not catch: nothing outlives the budget.
  if (turn.now >= stop.deadlineAt)
    for (const slot of allSlots(turn.state)) for (const life of slot.lives) killLife(turn, life.id, "drain-timeout");
  // The kernel may be unable to end a process (a hung disk): this one does not wait for it.
  if (turn.now >= giveUpAt(turn.state, stop)) {
    log(turn, "error", "some killed processes have not ended: leaving them to the kernel");
    return finish(turn, stop);
  }
}

/** When a stop ends although something that was killed has not. One that cannot be ended and is a thread goes with the master. */
export function giveUpAt(state: State, stop: Stop): number {
  const isThreadLeft = state.agent?.lives.some(({ thread }) => thread !== null) === true && state.workers.every(isEmpty);
  return stop.deadlineAt + (isThreadLeft ? 0 : GIVE_UP_MS);
}

/** The exit code of a stop. The first cause wins: 1 to 7 are kept through the stop that they cause. */
function exitCodeOf(stop: Stop): number {
  if (stop.reason !== "ok") return EXIT_CODES[stop.reason];
  if (stop.fastSignal !== null) return 128 + SIGNAL_NUMBERS[stop.fastSignal];
  return stop.forced ? EXIT_CODES.forced : EXIT_CODES.ok;
}

/** Time kept back at the end of the budget, for the kernel to end what was killed and for the last log line. */
function exitReserveMs(settings: Settings): number {
  return Math.min(500, settings.stopTimeoutMs * 0.05);
}

/** Time kept for the agent, which stops after the workers. */
function agentReserveMs(settings: Settings): number {
  return settings.hasAgent ? Math.min(2_000, settings.stopTimeoutMs * 0.1) : 0;
}

function workersDeadline(state: State, stop: Stop): number {
  return stop.deadlineAt - exitReserveMs(state.settings) - agentReserveMs(state.settings);
}

function agentDeadline(settings: Settings, stop: Stop): number {
  return stop.deadlineAt - exitReserveMs(settings);
}

function enter(turn: Turn, stop: Stop, stage: Stop["stage"]): Stop {
  const next = { ...stop, stage };
  turn.state = { ...turn.state, stop: next };
  return next;
}

function finish(turn: Turn, stop: Stop): void {
  // `forced` may have been set by a kill in this very step.
  const last = enter(turn, turn.state.stop ?? stop, "finished");
  const code = exitCodeOf(last);
  log(turn, code === 0 ? "info" : "warn", last.forced ? "stopped; something had to be killed at the deadline" : "stopped", {
    exitCode: code,
  });
  turn.effects.push({ type: "exit", code });
}

function isAccepting(life: Life): boolean {
  return life.state === "starting" || life.state === "ready" || (life.state === "draining" && life.accepting);
}

function isEmpty(slot: Slot): boolean {
  return slot.lives.length === 0;
}

function describeStart(reason: ExitReason, signal: StopSignal | null, settings: Settings, delayMs: number): string {
  const how = delayMs > 0 ? `, accepting for ${delayMs} ms more` : "";
  if (reason === "ok") return `${signal ?? "stop"}: stopping within ${settings.stopTimeoutMs} ms${how}`;
  return `stopping with exit code ${EXIT_CODES[reason]} (${reason})`;
}
