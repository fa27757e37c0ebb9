// Which worker accepts from which held socket. Every queue has `spread` workers by nature; one that has lost them all is adopted until they are
// back. Pure; the numbering of queues is stable: a slot that is scaled away leaves its queue to the others, with all that waits in it.
import type { Effect, Life, Ready, Slot, State } from "./state.ts";
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
    const distance = ((queue % workers) - (slot % workers) + workers) % workers;
    if (distance < spread) found.push(queue);
  }
  return found.sort((a, b) => Number(b === slot) - Number(a === slot) || a - b);
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
  if (listening === null || turn.state.stop !== null) return;
  const wanted = desiredQueues(turn.state, listening.spread);
  for (const slot of turn.state.workers) {
    for (const life of slot.lives) {
      const queues = life.state === "ready" ? wanted.get(life.id) : undefined;
      if (queues !== undefined) move(turn, slot, life, queues);
    }
  }
}

export function openQueues(turn: Turn): void {
  const needed = queuesNeeded(turn.state);
  for (let queue = turn.state.queues; queue < needed; queue++) turn.effects.push({ type: "open-queue", queue });
  if (needed > turn.state.queues) turn.state = { ...turn.state, queues: needed };
}

function desiredQueues(state: State, spread: number): ReadonlyMap<number, readonly number[]> {
  const wanted = new Map<number, number[]>();
  for (const slot of state.workers) {
    const natural = slot.index < state.workersTarget ? naturalQueues(slot.index, state.workersTarget, state.queues, spread) : [];
    for (const life of readyLives(slot)) wanted.set(life.id, [...natural]);
  }
  const covered = new Set([...wanted.values()].flat());
  for (let queue = 0; queue < state.queues; queue++) {
    if (covered.has(queue)) continue;
    // The least burdened takes it; of equals the first, so that the choice is stable.
    const [adopter] = [...wanted.values()].sort((a, b) => a.length - b.length);
    adopter?.push(queue);
  }
  return wanted;
}

function readyLives(slot: Slot): readonly Ready[] {
  return slot.lives.filter((life) => life.state === "ready");
}

function move(turn: Turn, slot: Slot, life: Life, queues: readonly number[]): void {
  const adopted = queues.filter((queue) => !life.queues.includes(queue));
  const released = life.queues.filter((queue) => !queues.includes(queue));
  if (adopted.length === 0 && released.length === 0) return;
  const orders: Effect[] = [
    ...adopted.map((queue): Effect => ({ type: "adopt", life: life.id, queue })),
    ...released.map((queue): Effect => ({ type: "release", life: life.id, queue })),
  ];
  turn.effects.push(...orders);
  putLife(turn, turn.state.workers.find((each) => each.index === slot.index) ?? slot, { ...life, queues });
}
