// Figures of a run, and ratios of two arms within each round.
import type { Results } from "./results.ts";

export function valuesOf(results: Results, load: string, arm: string, metric: string): readonly number[] {
  return [...byRound(results, load, arm, metric).values()];
}

/** One for each round that has both. */
export function ratios(results: Results, load: string, metric: string, arm: string, base: string): readonly number[] {
  const against = byRound(results, load, base, metric);
  return [...byRound(results, load, arm, metric)].flatMap(([round, value]) => {
    const other = against.get(round);
    return other === undefined ? [] : [value / other];
  });
}

function byRound({ measures }: Results, load: string, arm: string, metric: string): ReadonlyMap<number, number> {
  return new Map(
    measures.flatMap((measure) => {
      const value = measure.load === load && measure.arm === arm ? measure.values[metric] : undefined;
      return value === undefined || !Number.isFinite(value) ? [] : [[measure.round, value] as const];
    }),
  );
}
