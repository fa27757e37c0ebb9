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
   * @param last the life that had the connection before, on the same place; -1 for the first one
   * @param candidates at least one; two of a slot whose successor is on trial
   */
  choose(client: string, last: number, candidates: readonly Candidate[]): Candidate | undefined;
}

/** The slot that the client belongs to, and of its workers the newest one: a client does not go to and fro. */
export const byClient: Choice = {
  isForAnybody: false,
  choose(client, _last, candidates) {
    const slots = new Set(candidates.map(({ slot }) => slot));
    const slot = slotOf(client, slots);
    return candidates.reduce<Candidate | undefined>(
      (newest, each) => (each.slot === slot && each.life > (newest?.life ?? -1) ? each : newest),
      undefined,
    );
  },
};

/** The first of the lives that the client names which may have it; else the next one after the one before. */
export const byWish: Choice = {
  isForAnybody: false,
  choose(client, last, candidates) {
    const wishes = client.split(" ").map((wish) => candidates.find(({ life }) => String(life) === wish));
    return wishes.find((wish) => wish !== undefined) ?? inTurn.choose(client, last, candidates);
  },
};

/** The next one after the one before. */
export const inTurn: Choice = {
  isForAnybody: true,
  choose(_client, last, candidates) {
    let first = candidates[0];
    let next: Candidate | undefined;
    for (const each of candidates) {
      if (first === undefined || each.life < first.life) first = each;
      if (each.life > last && (next === undefined || each.life < next.life)) next = each;
    }
    return next ?? first;
  },
};
