// Finds and reads the config file. Runs in the master, at start only; a file that is code runs in a child (run-code.ts).

import { readFileSync, statSync } from "node:fs";
import { extname, join, relative, resolve, sep } from "node:path";

import type { Given, Layer } from "./layer.ts";
import { type AnyOption, camelNameOf, OPTION_LIST } from "./option-list.ts";
import type { Key } from "./options.ts";
import { didYouMean } from "./suggest.ts";

export type ConfigFile =
  | { readonly kind: "none" }
  | { readonly kind: "found"; readonly path: string; readonly layer: Layer }
  | { readonly kind: "failed"; readonly problem: string };

/** Looked for in this order when `--config` is not given. */
export const CONFIG_FILES: readonly string[] = ["ts", "js", "mjs", "json"].map((extension) => `rollcall.config.${extension}`);

const CODE: ReadonlySet<string> = new Set([".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"]);

/** Reads the file that `asked` names, else the first of `CONFIG_FILES`, else `package.json#rollcall`. */
export async function readConfigFile(
  cwd: string,
  asked: Given | undefined,
  env: NodeJS.ProcessEnv,
  deadlineMs: number,
): Promise<ConfigFile> {
  if (asked !== undefined) {
    const path = resolve(cwd, String(asked.raw));
    return readFile(path, nameOf(path, cwd), `${asked.label}: `, cwd, env, deadlineMs);
  }
  for (const name of CONFIG_FILES) {
    const path = join(cwd, name);
    if (exists(path)) return readFile(path, name, "", cwd, env, deadlineMs);
  }
  return readPackage(join(cwd, "package.json"));
}

async function readFile(
  path: string,
  name: string,
  asker: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
  deadlineMs: number,
): Promise<ConfigFile> {
  const source = readSource(path);
  if (!source.ok) return { kind: "failed", problem: `${asker}cannot read ${path}: ${source.problem}` };
  const extension = extname(path);
  if (extension === ".json") {
    const parsed = parseJson(source.text);
    return parsed.ok ? found(path, name, parsed.value) : { kind: "failed", problem: `${name}: ${parsed.problem}` };
  }
  if (!CODE.has(extension)) {
    return { kind: "failed", problem: `${asker}expected a file that ends in .json, .ts, .js, .mjs or .cjs; got ${path}` };
  }
  const { runConfigCode } = await import("./run-code.ts");
  const result = await runConfigCode(path, cwd, env, deadlineMs);
  return result.ok ? found(path, name, result.value) : { kind: "failed", problem: `${name}: ${result.problem}` };
}

function readPackage(path: string): ConfigFile {
  if (!exists(path)) return { kind: "none" };
  const source = readSource(path);
  if (!source.ok) return { kind: "failed", problem: `cannot read ${path}: ${source.problem}` };
  const parsed = parseJson(source.text);
  if (!parsed.ok) return { kind: "failed", problem: `package.json: ${parsed.problem}` };
  const section = isObject(parsed.value) ? parsed.value.rollcall : undefined;
  return section === undefined ? { kind: "none" } : found(path, "package.json#rollcall", section);
}

function found(path: string, name: string, value: unknown): ConfigFile {
  return { kind: "found", path, layer: layerOf(value, name) };
}

/** Keys may be in camelCase or kebab-case, `backoff` and `https` may be nested, and `$schema` is for editors. */
export function layerOf(value: unknown, name: string, mayNameFile = false): Layer {
  if (!isObject(value)) return { given: new Map(), problems: [`${name}: expected an object of options; got ${JSON.stringify(value)}`] };
  const given = new Map<Key, Given>();
  const problems: string[] = [];
  for (const [key, raw, optionKey] of flatten(value)) {
    if (key === "$schema" || raw === null) continue;
    const option = OPTION_LIST.find((each) => each.name === optionKey || camelNameOf(each) === optionKey);
    if (option === undefined) {
      problems.push(`${name}: unknown option "${key}"${didYouMean(key, key.includes("-") ? KEBAB_KEYS : CAMEL_KEYS)}`);
    } else if (option.key === "config" && !mayNameFile) {
      problems.push(`${name}: "config" cannot be given in a config file`);
    } else if (given.has(option.key)) {
      problems.push(`${name}: "${option.name}" is given twice, as ${given.get(option.key)?.label.slice(name.length + 2)} and as ${key}`);
    } else {
      given.set(option.key, { raw, source: name, label: `${name}: ${key}` });
    }
  }
  return { given, problems };
}

const FILE_OPTIONS: readonly AnyOption[] = OPTION_LIST.filter((option) => option.key !== "config");
const NESTING: ReadonlySet<string> = new Set(["backoff", "https"]);
const NESTED_KEYS: readonly string[] = OPTION_LIST.filter(({ name }) => NESTING.has(name.split("-")[0] as string)).map((option) =>
  option.name.replace("-", "."),
);
const KEBAB_KEYS: readonly string[] = FILE_OPTIONS.map((option) => option.name);
const CAMEL_KEYS: readonly string[] = [...FILE_OPTIONS.map(camelNameOf), ...NESTED_KEYS];

/** `backoff: { delay }` is `backoff-delay`. Yields the key as written, its value, and the option's name. */
function flatten(value: Record<string, unknown>): readonly (readonly [key: string, raw: unknown, optionKey: string])[] {
  return Object.entries(value).flatMap(([key, raw]) =>
    NESTING.has(key) && isObject(raw)
      ? Object.entries(raw).map(([inner, each]) => [`${key}.${inner}`, each, `${key}-${inner}`] as const)
      : [[key, raw, key] as const],
  );
}

function parseJson(text: string): { ok: true; value: unknown } | { ok: false; problem: string } {
  const source = text.replace(/^\uFEFF/, "");
  try {
    return { ok: true, value: JSON.parse(source) };
  } catch (error) {
    const message = (error as Error).message;
    return { ok: false, problem: `expected JSON; got: ${message}${/position \d+/.test(message) ? "" : ` (${placeOfFault(source)})`}` };
  }
}

/** V8 gives no position with some messages. The fault is where a prefix stops failing only for being cut short. */
function placeOfFault(source: string): string {
  let good = 0;
  let bad = source.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isCutShort(source.slice(0, middle))) good = middle;
    else bad = middle;
  }
  const before = source.slice(0, isCutShort(source) ? source.length : good).split("\n");
  return `line ${before.length} column ${(before.at(-1)?.length ?? 0) + 1}`;
}

function isCutShort(prefix: string): boolean {
  try {
    JSON.parse(prefix);
    return true;
  } catch (error) {
    return /^(Unexpected end|Unterminated|No number after minus|Exponent part)/.test((error as Error).message);
  }
}

function readSource(path: string): { ok: true; text: string } | { ok: false; problem: string } {
  try {
    return { ok: true, text: readFileSync(path, "utf8") };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    const words: Record<string, string> = {
      ENOENT: "no such file",
      EISDIR: "it is a folder",
      EACCES: "permission denied",
      ENOTDIR: "no such file",
    };
    return { ok: false, problem: words[code] ?? (error as Error).message };
  }
}

/** A file that is there but cannot be read is found too: reading it says why. */
function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** Short where it can be: relative inside the working folder. */
function nameOf(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith(`..${sep}`) || short === ".." ? path : short;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
