// Finds the framework of an Egg application, as egg-utils does it for egg-bin and egg-scripts: the one that is asked for, else package.json#egg.framework,
// else "egg". Its one rule: it looks at files and loads none of them. Runs in the master, at start only.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute, join } from "node:path";
import type { EggSetting } from "./config.ts";
import { egg } from "./kinds.ts";
import type { Given } from "./layer.ts";

/** In a config file. */
export interface EggFileOptions {
  /** The folder; the working folder unless given. */
  readonly baseDir?: string;
  /** A path or the name of a package; as `egg.framework` in its `package.json` says, unless given. */
  readonly framework?: string;
  /** More options for Egg's `Application` and `Agent`, such as `plugins`. */
  readonly [option: string]: unknown;
}

export type EggResolved = { readonly ok: true; readonly setting: EggSetting } | { readonly ok: false; readonly problem: string };

/** What was asked for, with the absolute paths of the application in this folder and of its framework. */
export function resolveEgg({ framework, options }: EggSetting, folder: string): EggResolved {
  const found = findFramework(folder, framework);
  return found.ok ? { ok: true, setting: { folder, framework: found.framework, options } } : found;
}

/** The folder that is named, for what starts from there, such as the config file. */
export function startFolderOf(given: Given | undefined): Given | undefined {
  if (given === undefined) return undefined;
  const parsed = egg.parse(given.raw);
  return parsed.ok ? { ...given, raw: parsed.value.folder } : undefined;
}

type Found = { readonly ok: true; readonly framework: string } | { readonly ok: false; readonly problem: string };

/**
 * The folder of the framework that the application in `baseDir` runs on.
 * @param asked an absolute path or the name of a package; null leaves it to the application
 */
function findFramework(baseDir: string, asked: string | null): Found {
  const manifest = join(baseDir, "package.json");
  if (!existsSync(manifest)) return { ok: false, problem: `expected the folder of an Egg application; ${manifest} does not exist` };
  const own = readFramework(manifest);
  if (!own.ok) return own;
  const name = asked ?? own.framework;
  if (isAbsolute(name))
    return existsSync(name) ? { ok: true, framework: name } : { ok: false, problem: `the framework ${name} does not exist` };
  const folders = [...new Set([join(baseDir, "node_modules"), join(process.cwd(), "node_modules"), ...above(manifest, name)])];
  const framework = folders.map((folder) => join(folder, name)).find((folder) => existsSync(folder));
  if (framework !== undefined) return { ok: true, framework };
  return {
    ok: false,
    problem: `the framework "${name}" is not installed; looked in ${folders.slice(0, 2).join(" and ")}: run npm install`,
  };
}

function readFramework(manifest: string): Found {
  try {
    const { egg } = JSON.parse(readFileSync(manifest, "utf8")) as { egg?: { framework?: unknown } };
    const framework = egg?.framework ?? "egg";
    if (typeof framework === "string" && framework !== "") return { ok: true, framework };
    return { ok: false, problem: `${manifest}: egg.framework: expected the name of a package; got ${JSON.stringify(framework)}` };
  } catch (error) {
    return { ok: false, problem: `cannot read ${manifest}: ${(error as Error).message}` };
  }
}

/** Where Node would look from the application: a monorepo has its packages further up. */
function above(manifest: string, name: string): readonly string[] {
  return createRequire(manifest).resolve.paths(`${name}/package.json`) ?? [];
}
