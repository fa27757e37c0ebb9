// The letters that were dropped: counted by reason, and told in the log at most once a minute for each. In the master.
import type { Line } from "../../log.ts";
import type { World } from "../../system/world.ts";

/** Between two lines about the same kind of loss. */
const LOG_EVERY_MS = 60_000;

/**
 * Why a letter was dropped: its receiver is not there, or has not read what it was sent before; it is longer than letters may be (the parent's: a child
 * hears of it at once); only the master says such a thing; its bytes are no letter; it came with a socket or a server, which a thread cannot be given.
 */
export const DROP_REASONS = ["absent", "full", "too_long", "forged", "malformed", "thread"] as const;
export type DropReason = (typeof DROP_REASONS)[number];

const WHY: Readonly<Record<DropReason, string>> = {
  absent: "there is nobody who would get it",
  full: "the receiver does not read what it has been sent",
  too_long: "it is longer than 16 MiB",
  forged: "only the master says such a thing",
  malformed: "it is no message",
  thread: "it came with a socket or a server, which an agent in a thread cannot be given (agent-mode thread)",
};

interface Parts {
  readonly world: Pick<World, "startTimer">;
  write(line: Line): void;
}

export class PostLosses {
  readonly #parts: Parts;
  readonly #counts: Map<DropReason, number> = new Map(DROP_REASONS.map((reason) => [reason, 0]));
  /** What has been told of each reason whose minute is not over, and who was the last. */
  readonly #told: Map<DropReason, { readonly count: number; last: string }> = new Map();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get counts(): ReadonlyMap<DropReason, number> {
    return this.#counts;
  }

  /** The first is told at once; how many more there were, when the minute is over. */
  count(reason: DropReason, from: string): void {
    this.#counts.set(reason, this.#countOf(reason) + 1);
    const told = this.#told.get(reason);
    if (told === undefined) this.#tell(reason, from, 1);
    else told.last = from;
  }

  #tell(reason: DropReason, from: string, amount: number): void {
    const dropped = this.#countOf(reason);
    const told = { count: dropped, last: from };
    this.#told.set(reason, told);
    const what = amount === 1 ? "a message" : `${amount} messages`;
    const message = `dropped ${what}, the last one from ${from}: ${WHY[reason]}`;
    this.#parts.write({ level: "warn", message, fields: { reason, from, dropped } });
    this.#parts.world.startTimer(LOG_EVERY_MS, () => {
      this.#told.delete(reason);
      const more = this.#countOf(reason) - told.count;
      if (more > 0) this.#tell(reason, told.last, more);
    });
  }

  #countOf(reason: DropReason): number {
    return this.#counts.get(reason) ?? 0;
  }
}
