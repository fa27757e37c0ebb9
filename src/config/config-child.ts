// Entry of the short-lived child that runs a config file: answers with the plain JSON of its default export on fd 3.
// Runs in that child only. It always ends: the user's open handles do not keep it.

import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import { pathToFileURL } from "node:url";

import type { CodeResult } from "./run-code.ts";

process.on("uncaughtException", (error) => answer({ ok: false, problem: thrown(error) }));
process.on("unhandledRejection", (error) => answer({ ok: false, problem: thrown(error) }));

// Nothing is left that could settle the promise. (A top-level await here would make Node print a warning about this file.)
process.on("beforeExit", () =>
  answer({ ok: false, problem: "never settles: nothing is left that could resolve the promise it waits for" }),
);

load(process.argv[2] ?? "").then(answer, (error: unknown) => answer({ ok: false, problem: thrown(error) }));

async function load(path: string): Promise<CodeResult> {
  const module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  let value: unknown = module.default;
  // What compilers to CommonJS write: the real default export is one level down.
  if (typeof value === "object" && value !== null && "__esModule" in value) value = (value as { default?: unknown }).default;
  if (value === undefined)
    return { ok: false, problem: "no default export; expected an object of options, or a function that returns one" };
  value = await (typeof value === "function" ? value() : value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return {
      ok: false,
      problem: `expected its default export to be an object of options, or a function that returns one; got ${describe(value)}`,
    };
  }
  const foreign = foreignPart(value, "", new Set());
  return foreign === null ? { ok: true, value } : { ok: false, problem: `expected plain JSON; got ${foreign}` };
}

/** The first part that JSON cannot carry, in words; null when there is none. `undefined` is an option left out. */
function foreignPart(value: unknown, path: string, parents: ReadonlySet<unknown>): string | null {
  const isPlain =
    value === undefined || value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
  if (isPlain) return null;
  const place = path === "" ? "" : ` at "${path}"`;
  if (typeof value !== "object" || value === null) return `${describe(value)}${place}`;
  if (parents.has(value)) return `a cycle${place}`;
  const isContainer = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  if (!isContainer) return `${describe(value)}${place}`;
  for (const [key, each] of Object.entries(value)) {
    const foreign = foreignPart(each, path === "" ? key : `${path}.${key}`, new Set([...parents, value]));
    if (foreign !== null) return foreign;
  }
  return null;
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
  if (typeof value === "object") return Array.isArray(value) ? "a list" : `a ${value.constructor?.name ?? "foreign"} object`;
  return `a ${typeof value}`;
}

/** The message, and where in the user's code: the first line of the stack that is not inside Node. */
function thrown(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${describe(error)}`;
  const frames = [...(error.stack ?? "").matchAll(/^\s+at (.+)$/gm)].map((match) => match[1] ?? "");
  const place = error instanceof SyntaxError ? placeOfSyntaxError(error) : frames.find((frame) => !frame.includes("node:"));
  const isModule = error instanceof SyntaxError && /Unexpected token 'export'|Cannot use import statement/.test(error.message);
  const remedy = isModule ? '; the package.json there has it for CommonJS: write "module.exports = …", or name it rollcall.config.mjs' : "";
  return `threw ${error.name}: ${error.message}${place === undefined ? "" : ` (at ${place})`}${remedy}`;
}

/** Of TypeScript the stack begins with the place. Of JavaScript only `node --check` tells it, on its first line. */
function placeOfSyntaxError(error: SyntaxError): string | undefined {
  const check = (): string => spawnSync(process.execPath, ["--check", process.argv[2] ?? ""], { encoding: "utf8", timeout: 5_000 }).stderr;
  const place = /^(\S.*:\d+)$/m;
  return (place.exec((error.stack ?? "").split("\n")[0] ?? "") ?? place.exec(check()))?.[1];
}

/** The pipe is blocking on this side: one write carries it all. The first answer counts. */
function answer(result: CodeResult): void {
  const bytes = Buffer.from(`${JSON.stringify(result)}\n`);
  for (let sent = 0; sent < bytes.length; ) sent += writeSync(3, bytes, sent);
  // The user's own exit handlers have nothing to say any more, and could hang.
  process.removeAllListeners("exit");
  process.exit(0);
}
