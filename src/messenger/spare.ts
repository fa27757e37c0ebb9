// What is said of a connection that a worker has accepted and another one might take, because it has fewer. The giver decides, and the connection goes with its
// last word: until then nobody else has any part of it. Pure; used by both sides.
import { isCount, isHost } from "./fields.ts";

export type SpareWord =
  /** The giver has `count` others. It asks for one connection at a time. */
  | { readonly type: "spare"; readonly id: number; readonly port: number; readonly host: string | null; readonly count: number }
  /** Whether the one that was asked wants it, which has `count` itself. */
  | { readonly type: "wants"; readonly id: number; readonly isWanted: boolean; readonly count: number }
  /** The giver serves it itself. */
  | { readonly type: "keeps"; readonly id: number }
  /** The giver has let go of it for `taker`; it comes along. */
  | { readonly type: "yields"; readonly id: number; readonly port: number; readonly host: string | null; readonly taker: number };

export type SpareOrder =
  /** To one that may have it: does it want it, having fewer than `below`? */
  | { readonly type: "spared"; readonly id: number; readonly port: number; readonly host: string | null; readonly below: number }
  /** To the giver: who wants it; null: nobody does. */
  | { readonly type: "wanted"; readonly id: number; readonly taker: number | null };

type Raw = Readonly<Record<string, unknown>>;

export function openSpareFromChild({ type, id, port, host, count, isWanted, taker }: Raw): SpareWord | null {
  if (!isCount(id)) return null;
  switch (type) {
    case "spare":
      return isCount(port) && isHost(host) && isCount(count) ? { type, id, port, host, count } : null;
    case "wants":
      return typeof isWanted === "boolean" && isCount(count) ? { type, id, isWanted, count } : null;
    case "keeps":
      return { type, id };
    case "yields":
      return isCount(port) && isHost(host) && isCount(taker) ? { type, id, port, host, taker } : null;
    default:
      return null;
  }
}

export function openSpareFromMaster({ type, id, port, host, below, taker }: Raw): SpareOrder | null {
  if (!isCount(id)) return null;
  switch (type) {
    case "spared":
      return isCount(port) && isHost(host) && isCount(below) ? { type, id, port, host, below } : null;
    case "wanted":
      return taker === null || isCount(taker) ? { type, id, taker } : null;
    default:
      return null;
  }
}
