// How the master shares out the descriptors that it may open: to the guests of its own ports, to connections that wait for a worker, and the rest to whatever
// forks, scrapes and sockets need. Runs in the master.
import { readdirSync } from "node:fs";
import { readTextOrNull } from "../system/procfs.ts";

/** More than a listen queue holds: they are accepted all at once, and whoever is among them must still be here when its request is read. */
export const MOST_GUESTS = 600;
/** Of the limit, for each of the two ports. */
const SHARE_OF_GUESTS = 1 / 6;
const FEWEST = 8;

/** Of what is left when both ports are full, for all that waits; the other half is never touched by it. */
const SHARE_OF_WAITING = 1 / 2;

/** @param limit null where that is unknown */
export function placesWithin(limit: number | null): number {
  return limit === null ? MOST_GUESTS : Math.min(MOST_GUESTS, Math.max(FEWEST, Math.floor(limit * SHARE_OF_GUESTS)));
}

/** How many connections may wait in the master, all in all. */
export function waitingWithin(limit: number | null, open: number): number {
  if (limit === null) return Number.POSITIVE_INFINITY;
  return Math.max(FEWEST, Math.floor((limit - open - 2 * placesWithin(limit)) * SHARE_OF_WAITING));
}

/** The soft limit, which Node raises to the hard one as it starts. Null where there is none, or nobody says. */
export function descriptorLimit(): number | null {
  const soft = /^Max open files\s+(\d+)/m.exec(readTextOrNull("/proc/self/limits") ?? "")?.[1];
  return soft === undefined ? null : Number(soft);
}

export function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0;
  }
}
