// Resolves the paths that the configuration names, as Node resolves a main script. Runs in the master, at start only.

import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join, relative, resolve, sep } from "node:path";

export type Resolved = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly problem: string };

/**
 * The absolute path of a module: tries it as given, with an extension, then as a folder with a main or an index. Links stay as they are: each child
 * follows them anew, so that a reload takes up a release that a link has been moved to.
 */
export function resolveEntry(path: string, cwd: string): Resolved {
  const wanted = resolve(cwd, path);
  const entry = lookUp(wanted, cwd);
  if (entry === null) return { ok: false, problem: notFound(wanted) };
  try {
    accessSync(entry, constants.R_OK);
    return { ok: true, path: byLinks(wanted, entry) };
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

/** The way to the file that was found, as it was named. */
function byLinks(wanted: string, found: string): string {
  const real = realpathSync(found);
  const isFolder = statSync(wanted, { throwIfNoEntry: false })?.isDirectory() === true;
  const named = isFolder ? [join(wanted, relative(realpathSync(wanted), real))] : [wanted, wanted + extname(found)];
  return named.find((each) => existsSync(each) && realpathSync(each) === real) ?? real;
}

function lookUp(wanted: string, cwd: string): string | null {
  try {
    return createRequire(join(cwd, sep)).resolve(wanted);
  } catch {
    // Node's CommonJS rules know no TypeScript, and stop at a package.json that cannot be read, which Node tells of when it runs the file.
    return [wanted, `${wanted}.ts`, join(wanted, "index.ts")].find(isFile) ?? null;
  }
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
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
