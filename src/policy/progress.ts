// What happened to the children between two states, step by step, for whoever watches an order being carried out. Pure.

import type { DrainCause, KillCause, Life, Role, Slot } from "./life.ts";
import { allSlots } from "./select.ts";
import type { State } from "./state.ts";

/** One step of one child. A process is named by its pid; before it has one, by nothing. */
export interface ChildStep {
  readonly role: Role;
  readonly slot: number;
  readonly pid: number | null;
  readonly generation: number;
  readonly happened: Happened;
}

export type Happened =
  | { readonly type: "started" }
  | {
      readonly type: "readied";
      readonly bootMs: number;
      readonly replaces: { readonly pid: number | null; readonly generation: number } | null;
    }
  | { readonly type: "draining"; readonly cause: DrainCause }
  | { readonly type: "killing"; readonly cause: KillCause }
  /** How far it had come, and why it drained or was killed: a starting one failed to boot, a ready one crashed. */
  | { readonly type: "ended"; readonly was: Life["state"]; readonly cause: DrainCause | KillCause | null };

export function stepsBetween(before: State, after: State): readonly ChildStep[] {
  const earlier = new Map(lives(before).map((each) => [each.life.id, each]));
  const later = lives(after);
  const steps: ChildStep[] = [];
  const add = ({ slot, life }: Placed, happened: Happened): void => {
    steps.push({ role: slot.role, slot: slot.index, pid: life.pid, generation: life.generation, happened });
  };
  const present = new Set(later.map(({ life }) => life.id));
  for (const gone of earlier.values()) if (!present.has(gone.life.id)) add(gone, departure(gone.life));
  for (const placed of later) {
    const was = earlier.get(placed.life.id)?.life.state ?? null;
    if (was === null) add(placed, { type: "started" });
    const happened = was === placed.life.state ? null : arrival(placed, before);
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

function departure(life: Life): Happened {
  return { type: "ended", was: life.state, cause: life.state === "draining" || life.state === "killing" ? life.cause : null };
}

/** How a life came to the state that it is in. */
function arrival({ slot, life }: Placed, before: State): Happened | null {
  switch (life.state) {
    case "starting":
      return null;
    case "ready":
      return { type: "readied", bootMs: Math.round(life.readyAt - life.forkedAt), replaces: predecessor(slot, life, before) };
    case "draining":
      return { type: "draining", cause: life.cause };
    case "killing":
      return { type: "killing", cause: life.cause };
    default:
      return life satisfies never;
  }
}

/** The one that served the slot until now, if it is still there. */
function predecessor(slot: Slot, life: Life, before: State): { readonly pid: number | null; readonly generation: number } | null {
  const was = allSlots(before).find((other) => other.role === slot.role && other.index === slot.index);
  const old = was?.lives.findLast((other) => other.id < life.id && other.state !== "starting");
  return old === undefined ? null : { pid: old.pid, generation: old.generation };
}
