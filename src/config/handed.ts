// What a program hands over that starts the service by `start()`: the options on a descriptor, where no list of processes shows them.
// Runs in the master, at start only.
import { closeSync, readFileSync } from "node:fs";

/** Set for a master whose parent is this package: the number of the descriptor with the options, or 0 where they are on the command line. */
export const PARENT_VARIABLE = "ROLLCALL_PARENT";

export interface Handed {
  /** As in a config file. */
  readonly options: unknown;
  readonly appArgs: readonly string[];
}

export interface Start {
  /** The parent reads what is sealed for it. */
  readonly isOwnParent: boolean;
  readonly handed: Handed | null;
}

/** Takes the variable out of the environment and reads what it points at; a descriptor that says nothing of use counts as no options. */
export function takeHanded(env: NodeJS.ProcessEnv): Start {
  const text = env[PARENT_VARIABLE];
  delete env[PARENT_VARIABLE];
  if (text === undefined || !/^\d{1,4}$/.test(text) || process.send === undefined) return { isOwnParent: false, handed: null };
  const fd = Number(text);
  return { isOwnParent: true, handed: fd < 3 ? null : readHanded(fd) };
}

function readHanded(fd: number): Handed | null {
  try {
    const { options, appArgs } = JSON.parse(readFileSync(fd, "utf8")) as Partial<Handed>;
    closeSync(fd);
    return { options, appArgs: appArgs ?? [] };
  } catch {
    // Whoever set the variable is no start() of this version, or died meanwhile.
    return null;
  }
}
