// What a round does, drawn from its seed before it begins: no decision depends on what happens or on how fast. Pure.
import { type Chance, chanceOf } from "../helpers/seed.ts";

export interface Ground {
  readonly listen: (typeof LISTEN)[number];
  /** Whether the port is declared, or known to the app alone. */
  readonly declared: boolean;
  readonly workers: number;
  /** What the agent runs in; null: there is none. */
  readonly agent: (typeof AGENTS)[number];
}

export interface Drawable {
  readonly name: string;
  /** How often it is drawn, beside the others. */
  readonly weight: number;
  /** Where it cannot be done, or means nothing. */
  readonly isFor?: (ground: Ground) => boolean;
}

export interface Drawn<D> {
  readonly deed: D;
  /** For its own decisions, so that how many it takes does not change those of the next. */
  readonly seed: number;
}

export interface Plan<D, E> {
  readonly seed: number;
  readonly ground: Ground;
  readonly steps: readonly Drawn<D>[];
  readonly ending: Drawn<E>;
}

const LISTEN = ["paired", "per-worker", "shared", "round-robin", "sticky"] as const;
const AGENTS = ["process", "thread", null, null] as const;
const [FEWEST, MOST] = [10, 20];

export function drawPlan<D extends Drawable, E extends Drawable>(seed: number, deeds: readonly D[], endings: readonly E[]): Plan<D, E> {
  const chance = chanceOf(seed);
  const ground: Ground = {
    listen: chance.pick(LISTEN),
    declared: chance.below(4) > 0,
    workers: 2 + chance.below(3),
    agent: chance.pick(AGENTS),
  };
  const steps = Array.from({ length: FEWEST + chance.below(MOST - FEWEST + 1) }, () => draw(chance, deeds, ground));
  return { seed, ground, steps, ending: draw(chance, endings, ground) };
}

function draw<D extends Drawable>(chance: Chance, from: readonly D[], ground: Ground): Drawn<D> {
  const possible = from.filter(({ isFor }) => isFor?.(ground) ?? true);
  return { deed: chance.pick(possible.flatMap((each) => Array.from({ length: each.weight }, () => each))), seed: chance.below(2 ** 30) };
}

export function name({ listen, declared, workers, agent }: Ground): string {
  return `${listen}, ${declared ? "declared" : "undeclared"}, ${workers} workers${agent === null ? "" : `, agent in a ${agent}`}`;
}
