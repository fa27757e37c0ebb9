// Finds Rollcall's own files that run in other processes: the sources run unbuilt, the package is bundled. Runs in the master.
// Its one rule: this file, or the chunk that it is bundled into, lies one folder deep.
import { fileURLToPath } from "node:url";

const IS_SOURCE: boolean = import.meta.url.endsWith(".ts");

/** @param path relative to the source folder, without its ending, such as "runtime/preload" */
export function ownFile(path: string, builtEnding: ".js" | ".cjs"): string {
  return fileURLToPath(new URL(`../${path}${IS_SOURCE ? ".ts" : builtEnding}`, import.meta.url));
}
