// Which worker gets a connection that the master has accepted: the one that its client belongs to, or whoever is next in turn.
import { slotOf } from "../policy/rendezvous.ts";

export interface Candidate {
  readonly life: number;
  readonly slot: number;
}

export interface Choice {
  /** Whether a connection is for anybody: then it waits for whoever is free first, and else for the one that it is for. */
  readonly isForAnybody: boolean;
  /**
   * @param client what the choice of a slot goes by
   * @param candidates at least one, and at most one of each slot
   */
  choose(client: string, place: string, candidates: readonly Candidate[]): Candidate | undefined;
}

/** The slot that the client belongs to. */
export const byClient: Choice = {
  isForAnybody: false,
  choose(client, _place, candidates) {
    const slots = candidates.map(({ slot }) => slot);
    const slot = slotOf(client, slots);
    return candidates.find((each) => each.slot === slot);
  },
};

/** The next slot after the one before, on each place. */
export function inTurn(): Choice {
  const last: Map<string, number> = new Map();
  return {
    isForAnybody: true,
    choose(_client, place, candidates) {
      const before = last.get(place) ?? -1;
      let first = candidates[0];
      let next: Candidate | undefined;
      for (const each of candidates) {
        if (first === undefined || each.slot < first.slot) first = each;
        if (each.slot > before && (next === undefined || each.slot < next.slot)) next = each;
      }
      const chosen = next ?? first;
      if (chosen !== undefined) last.set(place, chosen.slot);
      return chosen;
    },
  };
}
