// Letters that come while the process boots, before the app listens: kept for the first listener, within bounds, until the process is ready.
// Runs in a child.

import type { Kind } from "../../messenger/frame.ts";

const KEPT_BYTES: number = 4 * 1024 * 1024;

export class EarlyLetters {
  readonly #take: (frame: Buffer) => void;
  #kept: { readonly kind: Kind; readonly action: string; readonly frame: Buffer }[] | null = [];
  #bytes = 0;

  constructor(take: (frame: Buffer) => void) {
    this.#take = take;
  }

  /** @returns false when letters are not kept, or no more of them */
  keep(kind: Kind, action: string, frame: Buffer): boolean {
    if (this.#kept === null || this.#bytes + frame.length > KEPT_BYTES) return false;
    this.#kept.push({ kind, action, frame: Buffer.from(frame) });
    this.#bytes += frame.length;
    return true;
  }

  /** Somebody listens for this action now, or (null) for all letters: they get what was kept, when the code that registers them has run. */
  heard(action: string | null): void {
    if (this.#kept?.some((letter) => isFor(letter, action)) === true) setImmediate(() => this.release(action));
  }

  /** The boot is over: whoever listens has what was kept, and nothing is kept from here on. */
  end(): void {
    if (this.#kept === null) return;
    const kept = this.#kept;
    this.#kept = null;
    for (const { frame } of kept) this.#take(frame);
  }

  /** Before one that comes later is taken. */
  release(action: string | null): void {
    const kept = this.#kept ?? [];
    const released = kept.filter((letter) => isFor(letter, action));
    if (released.length === 0) return;
    this.#kept = kept.filter((letter) => !released.includes(letter));
    this.#bytes = this.#kept.reduce((sum, { frame }) => sum + frame.length, 0);
    for (const { frame } of released) this.#take(frame);
  }
}

/** A question is for the handler of its action, and for nobody else. */
function isFor(letter: { readonly kind: Kind; readonly action: string }, action: string | null): boolean {
  return action === null ? letter.kind !== "question" : letter.action === action;
}
