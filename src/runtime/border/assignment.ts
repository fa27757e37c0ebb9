// What this child is: role, slot, generation and rules, handed down in one environment variable. Runs in a child.
import type { Assignment } from "../../messenger/wire.ts";

/** Its own file: in the package this one is part of it. */
const PRELOAD: string = import.meta.filename.replace(/border.assignment\.ts$/, "preload.ts");

/**
 * Reads the assignment and takes it out of the environment, so that what the app spawns is not taken for a child of the master.
 * @returns null in a process that the master did not start
 */
export function readAssignment(): Assignment | null {
  const text = process.env.ROLLCALL_CHILD;
  delete process.env.ROLLCALL_CHILD;
  forgetPreload();
  if (text === undefined) return null;
  try {
    return JSON.parse(text) as Assignment;
  } catch {
    return null;
  }
}

/** Takes the preload out of execArgv, which the app's own forks and threads inherit. */
function forgetPreload(): void {
  const at = process.execArgv.indexOf(PRELOAD);
  if (at > 0 && process.execArgv[at - 1] === "--require") process.execArgv.splice(at - 1, 2);
}
