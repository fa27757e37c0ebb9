// Resolves the paths that the configuration names, as Node resolves a main script. Runs in the master, at start only.

import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve, sep } from "node:path";

export type Resolved = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly problem: string };

/** The absolute real path of a module: tries it as given, with an extension, then as a folder with a main or an index. */
export function resolveEntry(path: string, cwd: string): Resolved {
  const wanted = resolve(cwd, path);
  const entry = lookUp(wanted, cwd);
  if (entry === null) return { ok: false, problem: notFound(wanted) };
  try {
    accessSync(entry, constants.R_OK);
    return { ok: true, path: realpathSync(entry) };
  } catch (error) {
    return { ok: false, problem: `cannot read ${entry}: ${wordsOf(error)}` };
  }
}

/** The absolute path of a folder that exists. */
export function resolveFolder(path: string, cwd: string): Resolved {
  const wanted = resolve(cwd, path);
  try {
    return statSync(wanted).isDirectory()
      ? { ok: true, path: wanted }
      : { ok: false, problem: `expected a folder; got the file ${wanted}` };
  } catch (error) {
    return { ok: false, problem: `expected a folder; cannot open ${wanted}: ${wordsOf(error)}` };
  }
}

/** The absolute path of a file that can be read. */
export function resolveFile(path: string, cwd: string): Resolved {
  const wanted = resolve(cwd, path);
  try {
    accessSync(wanted, constants.R_OK);
    return statSync(wanted).isDirectory()
      ? { ok: false, problem: `expected a file; got the folder ${wanted}` }
      : { ok: true, path: wanted };
  } catch (error) {
    return { ok: false, problem: `expected a file; cannot read ${wanted}: ${wordsOf(error)}` };
  }
}

function lookUp(wanted: string, cwd: string): string | null {
  try {
    return createRequire(join(cwd, sep)).resolve(wanted);
  } catch {
    // Node's CommonJS rules know no TypeScript.
    return [`${wanted}.ts`, join(wanted, "index.ts")].find((each) => existsSync(each)) ?? null;
  }
}

function notFound(wanted: string): string {
  try {
    if (statSync(wanted).isDirectory())
      return `expected a module; ${wanted} is a folder without an index.js or a package.json whose "main" exists`;
    return `cannot read ${wanted}`;
  } catch (error) {
    return `expected a module; cannot open ${wanted}: ${wordsOf(error)}`;
  }
}

function wordsOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const words: Record<string, string> = {
    ENOENT: "no such file",
    ENOTDIR: "no such file",
    EACCES: "permission denied",
    ELOOP: "a loop of links",
  };
  return words[code] ?? (error as Error).message;
}
