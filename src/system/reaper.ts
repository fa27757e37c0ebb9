// The two-scan reaper. libuv waits for each child of this process by its pid, between two turns of the event loop; a child of its own that another hand
// reaps is lost to it for ever. So a zombie is reaped only if it is no child of our own and was a zombie at the look before. Runs in the master.
import type { ProcessIdentity } from "./procfs.ts";

export interface ReaperPorts {
  /** The children that are not ours, dead or alive; null where that cannot be seen. */
  strangers(): readonly number[] | null;
  /** Null for one that lives. */
  zombie(pid: number): ProcessIdentity | null;
  /** @returns its wait status; null when it could not be reaped */
  reap(pid: number): number | null;
}

export interface Scan {
  /** False: nothing can be seen here. */
  readonly isSighted: boolean;
  readonly reaped: readonly { readonly pid: number; readonly status: number }[];
  /** Zombies that are left to the next scan. */
  readonly zombies: number;
  /** There are more children than one scan looks at. */
  readonly isPartial: boolean;
  /** And dead ones were among those that it looked at. */
  readonly isBehind: boolean;
}

/** A look takes some 15 µs: so many keep the event loop for less than 10 ms. */
const MOST_LOOKS = 500;

export class Reaper {
  readonly #ports: ReaperPorts;
  /** The start times of the zombies of the last look, by pid: a pid alone may be somebody else's by now. */
  readonly #seen: Map<number, number> = new Map();
  /** Those of them that were not seen before: their turn comes first, so that more than one scan looks at keep none of them waiting for a third. */
  #fresh: Set<number> = new Set();
  /** Where the next scan goes on, when there are more than one looks at. */
  #next = 0;

  constructor(ports: ReaperPorts) {
    this.#ports = ports;
  }

  scan(): Scan {
    const strangers = this.#ports.strangers();
    if (strangers === null) return { isSighted: false, reaped: [], zombies: 0, isPartial: false, isBehind: false };
    this.#forgetAllBut(new Set(strangers));
    const reaped: { pid: number; status: number }[] = [];
    const part = this.#part(strangers);
    this.#fresh = new Set();
    for (const pid of part) {
      const zombie = this.#ports.zombie(pid);
      if (zombie === null) this.#seen.delete(pid);
      else if (this.#seen.get(pid) !== zombie.startTime) {
        this.#seen.set(pid, zombie.startTime);
        this.#fresh.add(pid);
      } else {
        const status = this.#ports.reap(pid);
        if (status === null) continue;
        this.#seen.delete(pid);
        reaped.push({ pid, status });
      }
    }
    const isPartial = part.length < strangers.length;
    const isBehind = isPartial && (reaped.length > 0 || this.#fresh.size > 0);
    return { isSighted: true, reaped, zombies: this.#seen.size, isPartial, isBehind };
  }

  #forgetAllBut(strangers: ReadonlySet<number>): void {
    for (const pid of this.#seen.keys()) if (!strangers.has(pid)) this.#seen.delete(pid);
  }

  /** The whole, or the next part of it, so that many that live do not hide the dead behind them. */
  #part(strangers: readonly number[]): readonly number[] {
    if (strangers.length <= MOST_LOOKS) return strangers;
    const fresh = strangers.filter((pid) => this.#fresh.has(pid));
    const from = this.#next % strangers.length;
    this.#next = from + MOST_LOOKS - fresh.length;
    const inTurn = [...strangers.slice(from), ...strangers.slice(0, from)].filter((pid) => !this.#fresh.has(pid));
    return [...fresh, ...inTurn].slice(0, MOST_LOOKS);
  }
}
