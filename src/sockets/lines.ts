// The connections that the master holds, in a line for each place that they came to. Lines take turns: whoever is free serves the one that has waited longest
// for that, so that a port that many wait on does not starve another one. Runs in the master.
import { type Connection, type Line, placeOf, type Where } from "./incoming.ts";
import type { Room } from "./room.ts";

export class Lines {
  /** Who was served last comes last. */
  readonly #lines: Map<string, Line> = new Map();
  readonly #room: Room;

  constructor(room: Room) {
    this.#room = room;
  }

  /** In their order; it may change meanwhile. */
  get all(): readonly Line[] {
    return [...this.#lines.values()];
  }

  of({ port, host }: Where): Line {
    const place = placeOf({ port, host });
    const known = this.#lines.get(place);
    if (known !== undefined) return known;
    const line: Line = { port, host, waiting: [], held: 0, last: -1, fullAt: null };
    this.#lines.set(place, line);
    return line;
  }

  /** It was served by that life. */
  turn(line: Line, life: number): void {
    line.last = life;
    if (this.#lines.size === 1) return;
    const place = placeOf(line);
    this.#lines.delete(place);
    this.#lines.set(place, line);
  }

  /** Nothing is expected there any more. One that still has a connection on its way stays. */
  forget(line: Line): void {
    if (line.held === 0) this.#lines.delete(placeOf(line));
  }

  isFull({ held }: Line): boolean {
    return !this.#room.hasFor(held);
  }

  /** Those that are full, and those that somebody was turned away from and that are not half empty yet. Where it is the room that ends, the longest is among them. */
  get crowded(): readonly Line[] {
    return this.all.filter((line) => this.isFull(line) || line.fullAt !== null);
  }

  /** One more is held. */
  enter(line: Line): void {
    this.#room.take();
    line.held++;
  }

  /** One that was held is not any more. */
  leave(line: Line): void {
    this.#room.leave();
    line.held--;
    if (line.fullAt !== null && line.held <= line.fullAt / 2) line.fullAt = null;
  }

  heldOn(port: number): number {
    return this.all.reduce((sum, line) => sum + (line.port === port ? line.held : 0), 0);
  }
}

/** Ahead of all that came later. */
export function putBack(connection: Connection): void {
  const { waiting } = connection.line;
  const behind = waiting.findIndex(({ arrival }) => arrival > connection.arrival);
  waiting.splice(behind === -1 ? waiting.length : behind, 0, connection);
}

/** Takes those out whose clients have gone. */
export function takeGone(waiting: Connection[], isGone: (connection: Connection) => boolean): readonly Connection[] {
  const gone = new Set(waiting.filter(isGone));
  if (gone.size > 0) waiting.splice(0, waiting.length, ...waiting.filter((each) => !gone.has(each)));
  return [...gone];
}
