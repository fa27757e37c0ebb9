// Finds Rollcall's own files that run in other processes: the sources run unbuilt (.ts) and compiled (.js). Runs in the master.
import { fileURLToPath } from "node:url";

/** @param path relative to the source folder, without its ending, such as "runtime/preload" */
export function ownFile(path: string): string {
  const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return fileURLToPath(new URL(`../${path}${ending}`, import.meta.url));
}
