// Whether a first word that is no file may have been meant as a command: `rollcall relaod`. Runs where a start has failed.
import { COMMANDS } from "../config/commands.ts";
import { resolveEntry } from "../config/entry.ts";
import { suggest } from "../config/suggest.ts";

/** @returns what to say of it, or null */
export function mistypedCommand([first = ""]: readonly string[]): string | null {
  if (!/^[a-z]{3,}$/.test(first)) return null;
  const meant = suggest(
    first,
    COMMANDS.map(({ name }) => name),
  );
  if (meant === null || resolveEntry(first, process.cwd()).ok) return null;
  return `"${first}" is no command and no file; did you mean "${meant}"?`;
}
