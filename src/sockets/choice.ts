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
   * @param lastSlot the one that had the connection before, on the same place; -1 for the first one
   * @param candidates at least one, and at most one of each slot
   */
  choose(client: string, lastSlot: number, candidates: readonly Candidate[]): Candidate | undefined;
}

/** The slot that the client belongs to. */
export const byClient: Choice = {
  isForAnybody: false,
  choose(client, _lastSlot, candidates) {
    const slots = candidates.map(({ slot }) => slot);
    const slot = slotOf(client, slots);
    return candidates.find((each) => each.slot === slot);
  },
};

/** The next slot after the one before. */
export const inTurn: Choice = {
  isForAnybody: true,
  choose(_client, lastSlot, candidates) {
    let first = candidates[0];
    let next: Candidate | undefined;
    for (const each of candidates) {
      if (first === undefined || each.slot < first.slot) first = each;
      if (each.slot > lastSlot && (next === undefined || each.slot < next.slot)) next = each;
    }
    return next ?? first;
  },
};
