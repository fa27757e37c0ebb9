// A letter that comes with a socket or a server: both go by Node's channel, which alone can carry descriptors. Used on both sides of it.
import { isWellFormed } from "./frame.ts";
import { BRAND, isSealed } from "./wire.ts";

/** What the descriptor is: a connection, or something that listens. */
export type HandedKind = "socket" | "server";

export interface Handed {
  readonly frame: Buffer;
  readonly what: HandedKind;
}

const MOST_BYTES: number = 1024 * 1024;

/** @throws RangeError for a letter that is too long to go with a handle */
export function sealHanded({ frame, what }: Handed): object {
  checkHanded(frame);
  return { rollcall: BRAND, type: "handed", what, letter: frame.toString("base64") };
}

/** @throws RangeError for a letter that is too long to come with a handle: to be asked before the handle is taken from its owner */
export function checkHanded(frame: Buffer): void {
  if (frame.length > MOST_BYTES)
    throw new RangeError(
      `messenger: expected a message of at most ${MOST_BYTES} bytes with a handle, got ${frame.length}; send the data before it`,
    );
}

/** Null for anything that is not exactly right. */
export function openHanded(raw: unknown): Handed | null {
  if (!isSealed(raw) || raw.type !== "handed" || typeof raw.letter !== "string" || raw.letter.length > MOST_BYTES * 2) return null;
  const frame = Buffer.from(raw.letter, "base64");
  const isLetter = isWellFormed(frame) && frame.readUInt32LE(0) === frame.length;
  return isLetter && (raw.what === "socket" || raw.what === "server") ? { frame, what: raw.what } : null;
}
