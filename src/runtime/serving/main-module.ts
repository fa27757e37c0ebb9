// Knows when the app's main module, top-level await included, has loaded, and what it exports. Runs in a child.
import { realpathSync } from "node:fs";
import { pathToFileURL } from "node:url";

/**
 * Waits for the main module. Node starts it right after the preloads: a CommonJS one has run by the next turn of the event loop, an ES module
 * is then in the loader's cache, so that importing it again waits for the same evaluation and runs nothing twice.
 * @returns the module's exports; rejects when the module throws (Node itself reports that)
 */
export async function mainModule(): Promise<unknown> {
  await new Promise((resolve) => setImmediate(resolve));
  const main = process.mainModule;
  if (main !== undefined) return main.exports;
  const path = process.argv[1];
  if (path === undefined) return undefined;
  // By what Node has found it: under --preserve-symlinks a link would be another module, and the app run twice.
  const found = process.execArgv.includes("--preserve-symlinks-main") ? path : realpathSync(path);
  return import(pathToFileURL(found).href);
}

/** The function that a module exports as its default, if it exports one. */
export function defaultFunction(exports: unknown): (() => unknown) | null {
  const candidates = [exports, (exports as { default?: unknown } | null | undefined)?.default];
  for (const candidate of candidates) if (typeof candidate === "function") return candidate as () => unknown;
  return null;
}
