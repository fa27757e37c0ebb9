// Which worker accepts from which held socket. Every queue has `spread` workers by nature; one that has lost them all is adopted until they are
// back. Pure; the numbering of queues is stable: a slot that is scaled away leaves its queue to the others, with all that waits in it.

import type { Effect } from "./effects.ts";
import type { Ready, Slot } from "./life.ts";
import { findLife } from "./select.ts";
import type { State } from "./state.ts";
import { putLife, type Turn } from "./turn.ts";

/**
 * The queues that a slot accepts from by nature, its own first.
 * @param workers how many slots there are
 * @param queues how many queues there are; at least as many as slots ever were
 * @param spread how many neighbouring slots accept from each queue
 */
export function naturalQueues(slot: number, workers: number, queues: number, spread: number): readonly number[] {
  const found: number[] = [];
  for (let queue = 0; queue < queues; queue++) {
    const { last, count } = acceptorsOf(queue, workers, queues, spread);
    const distance = (last - (slot % workers) + workers) % workers;
    if (distance < count) found.push(queue);
  }
  return found.sort((a, b) => Number(b === slot) - Number(a === slot) || a - b);
}

/**
 * The neighbouring slots that accept from a queue, as the last one and how many. After a scaling down there may be queues beyond the last whole round
 * over all slots: these are shared by as many slots as it takes for each slot to have its part, or some would have twice the load of others.
 */
function acceptorsOf(queue: number, workers: number, queues: number, spread: number): { readonly last: number; readonly count: number } {
  const rest = queues % workers;
  const place = queue - (queues - rest);
  if (place < 0) return { last: queue % workers, count: spread };
  const first = Math.floor((place * workers) / rest);
  const next = Math.floor(((place + 1) * workers) / rest);
  return { last: next - 1, count: Math.max(spread, next - first) };
}

/** How many queues the service needs now: it never gives one up. */
function queuesNeeded(state: State): number {
  return state.settings.listening === null ? 0 : Math.max(state.queues, state.workersTarget);
}

/** The queues a life that starts in this slot is born with. */
export function queuesAtBirth(state: State, slot: Slot): readonly number[] {
  const { listening } = state.settings;
  return slot.role === "agent" || listening === null ? [] : naturalQueues(slot.index, state.workersTarget, state.queues, listening.spread);
}

/** Opens queues for new slots, and moves queues between ready workers until each has somebody who accepts from it. */
export function coverQueues(turn: Turn): void {
  const { listening } = turn.state.settings;
  if (listening === null) return;
  const wanted = desiredQueues(turn.state, listening.spread);
  const adopts: Effect[] = [];
  const releases: Effect[] = [];
  for (const slot of turn.state.workers) {
    for (const life of readyLives(slot)) {
      const orders = move(turn, life, wanted.get(life.id) ?? []);
      adopts.push(...orders.filter(({ type }) => type === "adopt"));
      releases.push(...orders.filter(({ type }) => type === "release"));
    }
  }
  // Before any fork, which keeps the master busy for milliseconds in which somebody may wait in a queue.
  const fork = turn.effects.findIndex(({ type }) => type === "fork");
  turn.effects.splice(fork === -1 ? turn.effects.length : fork, 0, ...adopts);
  // Last: whoever takes a queue over hears of it before the other lets go.
  turn.effects.push(...releases);
}

export function openQueues(turn: Turn): void {
  const needed = queuesNeeded(turn.state);
  for (let queue = turn.state.queues; queue < needed; queue++) turn.effects.push({ type: "open-queue", queue });
  if (needed > turn.state.queues) turn.state = { ...turn.state, queues: needed };
}

function desiredQueues(state: State, spread: number): ReadonlyMap<number, readonly number[]> {
  const wanted = new Map<number, number[]>();
  const able: number[][] = [];
  for (const slot of state.workers) {
    const natural = slot.index < state.workersTarget ? naturalQueues(slot.index, state.workersTarget, state.queues, spread) : [];
    for (const life of readyLives(slot)) {
      const queues = [...natural];
      wanted.set(life.id, queues);
      // Who hangs keeps its queues, but cannot be counted on.
      if (!life.suspected) able.push(queues);
    }
  }
  const covered = new Set(able.flat());
  for (let queue = 0; queue < state.queues; queue++) {
    if (covered.has(queue)) continue;
    // The least burdened takes it; of equals the first, so that the choice is stable.
    const [adopter] = able.toSorted((a, b) => a.length - b.length);
    adopter?.push(queue);
  }
  return wanted;
}

function readyLives(slot: Slot): readonly Ready[] {
  return slot.lives.filter((life) => life.state === "ready");
}

/** Gives a worker its queues, and returns the orders that tell it. */
function move(turn: Turn, life: Ready, queues: readonly number[]): readonly Effect[] {
  const adopted = queues.filter((queue) => !life.queues.includes(queue));
  const released = life.queues.filter((queue) => !queues.includes(queue));
  if (adopted.length === 0 && released.length === 0) return [];
  const found = findLife(turn.state, life.id);
  if (found !== null) putLife(turn, found.slot, { ...life, queues });
  return [
    ...adopted.map((queue): Effect => ({ type: "adopt", life: life.id, queue })),
    ...released.map((queue): Effect => ({ type: "release", life: life.id, queue })),
  ];
}
