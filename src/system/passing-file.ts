// A file that this process has made and takes away when it ends, unless it is another's by then. Used by the master.
import { lstatSync, rmSync } from "node:fs";

/** Says which file a path is now; null without one, or where nobody may look. */
export function identify(path: string): string | null {
  try {
    const { dev, ino } = lstatSync(path);
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

/**
 * For a file that this process has just made: it goes with the process, also when the rest of the start fails.
 * @returns what takes it away before that: synchronous, harmless when called again, and it never throws. A folder may not be writable any more, and no
 * end of a service waits for that
 */
export function removeAtEnd(path: string): () => void {
  const own = identify(path);
  const remove = (): void => {
    if (own === null || identify(path) !== own) return;
    try {
      rmSync(path, { force: true });
    } catch {}
  };
  process.once("exit", remove);
  return remove;
}
