// How many connections the master may hold, all in all and of one kind: those of a place, or those whose heads it reads. Each costs a descriptor, and a master
// without any can neither fork nor answer a probe. Runs in the master.

/** Of one kind, however many descriptors there are. */
export const MOST_HELD = 4_096;
/** How often what is left a kind may have: alone three quarters, and a second one beside it as much of what that leaves. Nobody takes it all from the others. */
const TIMES_LEFT = 3;

export class Room {
  /** All in all. */
  readonly #most: number;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** @param held how many of its kind there are already */
  hasFor(held: number, most: number = MOST_HELD): boolean {
    return held < most && held < (this.#most - this.#taken) * TIMES_LEFT;
  }

  take(): void {
    this.#taken++;
  }

  leave(): void {
    this.#taken--;
  }
}
