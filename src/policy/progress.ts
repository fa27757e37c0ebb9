// What happened to the children between two states, step by step, for whoever watches an order being carried out. Pure.

import type { DrainCause, KillCause, Life, Role, Slot } from "./life.ts";
import { allSlots } from "./select.ts";
import type { State } from "./state.ts";

/** One step of one child. */
export interface ChildStep extends ProcessName {
  readonly role: Role;
  readonly slot: number;
  readonly happened: Happened;
}

/** A process is named by its pid; before it has one, by nothing. */
export interface ProcessName {
  readonly pid: number | null;
  readonly generation: number;
}

/** `stays` is the one that a successor was to replace and that holds the slot on: the successor came to nothing. */
export type Happened =
  | { readonly type: "started" }
  /** On trial: the one that it replaces stays until this one has stayed ready for long enough. */
  | { readonly type: "readied"; readonly bootMs: number; readonly replaces: ProcessName | null; readonly trial: boolean }
  | { readonly type: "draining"; readonly cause: DrainCause; readonly stays: ProcessName | null }
  | { readonly type: "killing"; readonly cause: KillCause; readonly stays: ProcessName | null }
  /** How far it had come, and why it drained or was killed: a starting one failed to boot, a ready one crashed. */
  | {
      readonly type: "ended";
      readonly was: Life["state"];
      readonly cause: DrainCause | KillCause | null;
      readonly stays: ProcessName | null;
    };

export function stepsBetween(before: State, after: State): readonly ChildStep[] {
  const earlier = new Map(lives(before).map((each) => [each.life.id, each]));
  const later = lives(after);
  const steps: ChildStep[] = [];
  const add = ({ slot, life }: Placed, happened: Happened): void => {
    steps.push({ role: slot.role, slot: slot.index, pid: life.pid, generation: life.generation, happened });
  };
  const present = new Set(later.map(({ life }) => life.id));
  for (const gone of earlier.values()) if (!present.has(gone.life.id)) add(gone, departure(gone, after));
  for (const placed of later) {
    const was = earlier.get(placed.life.id)?.life.state ?? null;
    if (was === null) add(placed, { type: "started" });
    const happened = was === placed.life.state ? null : arrival(placed, before, after);
    if (happened !== null) add(placed, happened);
  }
  // In the order of the story: what is ready explains what drains.
  return steps.sort((a, b) => ORDER.indexOf(a.happened.type) - ORDER.indexOf(b.happened.type));
}

const ORDER: readonly Happened["type"][] = ["ended", "started", "readied", "draining", "killing"];

interface Placed {
  readonly slot: Slot;
  readonly life: Life;
}

function lives(state: State): readonly Placed[] {
  return allSlots(state).flatMap((slot) => slot.lives.map((life) => ({ slot, life })));
}

function departure({ slot, life }: Placed, after: State): Happened {
  const cause = life.state === "draining" || life.state === "killing" ? life.cause : null;
  return { type: "ended", was: life.state, cause, stays: nameOf(elderReady(slot, life, after)) };
}

/** How a life came to the state that it is in. */
function arrival({ slot, life }: Placed, before: State, after: State): Happened | null {
  const elder = elderReady(slot, life, after);
  switch (life.state) {
    case "starting":
      return null;
    case "ready":
      return {
        type: "readied",
        bootMs: Math.round(life.readyAt - life.forkedAt),
        replaces: nameOf(predecessor(slot, life, before)),
        trial: elder !== undefined,
      };
    case "draining":
      return { type: "draining", cause: life.cause, stays: nameOf(elder) };
    case "killing":
      return { type: "killing", cause: life.cause, stays: nameOf(elder) };
    default:
      return life satisfies never;
  }
}

/** The one that has served the slot, if it was still there. */
function predecessor(slot: Slot, life: Life, before: State): Life | undefined {
  return olderIn(slot, life, before).findLast((other) => other.state !== "starting");
}

/** The older one that still serves the slot: it has not left for this life. */
function elderReady(slot: Slot, life: Life, after: State): Life | undefined {
  return olderIn(slot, life, after).findLast((other) => other.state === "ready");
}

function olderIn(slot: Slot, life: Life, state: State): readonly Life[] {
  const there = allSlots(state).find((other) => other.role === slot.role && other.index === slot.index);
  return there?.lives.filter((other) => other.id < life.id) ?? [];
}

function nameOf(life: Life | undefined): ProcessName | null {
  return life === undefined ? null : { pid: life.pid, generation: life.generation };
}
