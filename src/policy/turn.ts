// One step in the making: the state so far and the effects so far. Lives only inside step(); pure as seen from outside.
import type { Effect, LogLevel, Tally } from "./effects.ts";
import type { Life, Role, Slot } from "./life.ts";
import type { Moment, Settings, State } from "./state.ts";

export interface Turn {
  state: State;
  readonly effects: Effect[];
  readonly now: number;
  readonly random: number;
}

export function beginTurn(state: State, moment: Moment): Turn {
  return { state, effects: [], now: moment.now, random: moment.random };
}

export function log(turn: Turn, level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  turn.effects.push({ type: "log", level, message, fields });
}

export function tally(turn: Turn, entry: Tally): void {
  turn.effects.push({ type: "tally", tally: entry });
}

/** The fields by which every log line names a child. */
export function naming(slot: Slot, life: Life): Readonly<Record<string, unknown>> {
  return slot.role === "agent"
    ? { role: slot.role, pid: life.pid, ...(life.thread === null ? {} : { thread: life.thread }), generation: life.generation }
    : { role: slot.role, slot: slot.index, pid: life.pid, generation: life.generation };
}

/** "worker 0" or "agent", for sentences. */
export function called(slot: { readonly role: Role; readonly index: number }): string {
  return slot.role === "agent" ? "agent" : `worker ${slot.index}`;
}

export function putSlot(turn: Turn, slot: Slot): void {
  turn.state =
    slot.role === "agent"
      ? { ...turn.state, agent: slot }
      : { ...turn.state, workers: turn.state.workers.map((other) => (other.index === slot.index ? slot : other)) };
}

/** Replaces a life by its next state (the same id) and returns the slot that holds it now. */
export function putLife(turn: Turn, slot: Slot, life: Life): Slot {
  const next = { ...slot, lives: slot.lives.map((other) => (other.id === life.id ? life : other)) };
  putSlot(turn, next);
  return next;
}

/** What a starting child has not done, for a person who looks for the reason. */
export function awaited(slot: Slot, { readyWhen = "listening", ports = [] }: Settings): string {
  if (readyWhen === "message") return "its call of ready() (ready-when message)";
  if (slot.role === "agent") return "its module to load and its function to resolve";
  if (readyWhen === "loaded") return "its module to load (ready-when loaded)";
  const listens = ports.length === 0 ? "it to listen on any port" : `it to listen on port ${ports.join(" and ")}`;
  return readyWhen === "listening" ? `${listens} (ready-when listening)` : `${listens} and answer 2xx on ${readyWhen} (ready-when)`;
}
