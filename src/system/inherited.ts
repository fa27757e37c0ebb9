// The sockets that this process was started with, by their descriptors. Used in the master, before it opens any of its own.
import { readdirSync, readlinkSync } from "node:fs";

/** Whether the descriptor is still of a socket that this process was started with. Standard input and output are not asked for. */
export type IsInherited = (fd: number) => boolean;

/** Where there is no /proc any descriptor may be one. */
export function findInherited(): IsInherited {
  const numbers = openNumbers();
  if (numbers === null) return () => true;
  const found = new Map(numbers.filter((fd) => fd > 2).map((fd) => [fd, socketOf(fd)]));
  return (fd) => {
    const socket = socketOf(fd);
    return socket !== null && found.get(fd) === socket;
  };
}

function openNumbers(): readonly number[] | null {
  try {
    return readdirSync("/proc/self/fd").map(Number);
  } catch {
    return null;
  }
}

/** What identifies it; null for what is no socket. */
function socketOf(fd: number): string | null {
  try {
    const target = readlinkSync(`/proc/self/fd/${fd}`);
    return target.startsWith("socket:") ? target : null;
  } catch {
    return null;
  }
}
