// Holds src/ to its layers: a file imports only from its own folder or from layers above it. Also no cycles, no file that
// swallows everything, a header on each, and a pure policy. It reads imports by pattern: no compiler, no build.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));
const MAX_LINES = 300;

/** From the top down; what stands in one line is one layer. A name without a slash is a file of src/ itself. */
const LAYERS: readonly (readonly string[])[] = [
  ["package/"],
  ["errors.ts", "log.ts", "outlet.ts"],
  ["config/"],
  ["policy/"],
  ["messenger/"],
  ["system/"],
  ["sockets/"],
  ["process/"],
  ["runtime/border/"],
  ["runtime/traffic/", "runtime/listening/", "runtime/serving/"],
  ["runtime/life/"],
  ["runtime/messages/"],
  ["runtime/"],
  ["master/"],
  ["embedding/"],
  ["egg/"],
  ["cli/", "index.ts", "egg.ts"],
];

/** Beyond the order: the master's view of a child and the code inside the child meet only in messenger/. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  "runtime/": ["process/", "master/"],
  "process/": ["runtime/", "master/"],
};

/** What policy/ may load at run time; of config/ it may see types. */
const POLICY_LOADS = ["policy/", "errors.ts"];
const IMPURE =
  /\b(?:Date\.now|new Date\(\)|performance\.|Math\.random|process\.|globalThis|console\.|set(?:Timeout|Interval|Immediate)\()/g;

interface Import {
  readonly specifier: string;
  readonly isType: boolean;
}
/** Path under src/ → text. */
type Sources = ReadonlyMap<string, string>;
type Rule = (sources: Sources) => string[];

describe("src/", () => {
  const sources = readSources();
  const rules: readonly (readonly [string, Rule])[] = [
    ["keeps every file in a layer of the list", strays],
    ["imports only from its own layer and those above", wrongWays],
    ["names the .ts file in every relative import", inexactImports],
    ["has no import cycles", cycles],
    ["keeps policy/ pure: no node: imports, no packages, no clock, no chance", impurities],
    [`has no file over ${MAX_LINES} lines`, giants],
    ["starts every file with a header comment", headless],
  ];
  for (const [name, rule] of rules) {
    it(name, () => {
      const found = rule(sources);
      assert.equal(found.length, 0, `\n  ${found.join("\n  ")}`);
    });
  }
});

describe("the rules", () => {
  const check = (rule: Rule, files: Record<string, string>): string[] => rule(new Map(Object.entries(files)));

  it("find a file outside the layers", () => {
    assert.deepEqual(check(strays, { "utils/x.ts": "", "cli/main.ts": "" }), [
      "utils/x.ts: belongs to no layer; add it to the list in this test",
    ]);
  });

  it("find imports that look downwards or across the child's border, static, dynamic, typed or re-exported", () => {
    assert.deepEqual(check(wrongWays, { "system/x.ts": 'import type { A } from "../master/a.ts";' }), [
      "system/x.ts: imports ../master/a.ts",
    ]);
    assert.deepEqual(check(wrongWays, { "log.ts": 'await import("./cli/a.ts");' }), ["log.ts: imports ./cli/a.ts"]);
    assert.deepEqual(check(wrongWays, { "runtime/x.ts": 'import {\n  a,\n} from "../process/a.ts";' }), [
      "runtime/x.ts: imports ../process/a.ts",
    ]);
    assert.deepEqual(check(wrongWays, { "runtime/border/x.ts": 'import "../life/a.ts";\nimport "../app.ts";' }), [
      "runtime/border/x.ts: imports ../life/a.ts",
      "runtime/border/x.ts: imports ../app.ts",
    ]);
    assert.deepEqual(check(wrongWays, { "runtime/app.ts": 'import "./life/a.ts"; import "../system/a.ts";' }), []);
    assert.deepEqual(check(wrongWays, { "config/x.ts": 'export * from "../policy/a.ts";' }), ["config/x.ts: imports ../policy/a.ts"]);
    assert.deepEqual(check(wrongWays, { "master/x.ts": 'import "../errors.ts"; // import "../cli/a.ts"' }), []);
  });

  it("find imports that do not name the file", () => {
    assert.deepEqual(check(inexactImports, { "cli/x.ts": 'import a from "./a.js";\nimport b from "./b";' }), [
      "cli/x.ts: imports ./a.js",
      "cli/x.ts: imports ./b",
    ]);
  });

  it("find cycles and print their way", () => {
    const files = { "cli/a.ts": 'import "./b.ts";', "cli/b.ts": 'import "./c.ts";', "cli/c.ts": 'import "./b.ts";' };
    assert.deepEqual(check(cycles, files), ["cli/b.ts → cli/c.ts → cli/b.ts"]);
  });

  it("find what is not pure, and let words in comments and strings pass", () => {
    const impure = 'import { a } from "node:fs";\nimport { b } from "../config/b.ts";\nconst now = Date.now();';
    assert.deepEqual(check(impurities, { "policy/x.ts": impure }), [
      "policy/x.ts: loads node:fs",
      "policy/x.ts: loads ../config/b.ts",
      "policy/x.ts: uses Date.now",
    ]);
    assert.deepEqual(
      check(impurities, { "policy/y.ts": 'import type { C } from "../config/c.ts";\n// Date.now\nconst a = "process.env";' }),
      [],
    );
  });

  it("find files that are too long or have no header", () => {
    assert.deepEqual(check(giants, { "log.ts": "x\n".repeat(MAX_LINES + 1) }), [`log.ts: ${MAX_LINES + 1} lines`]);
    assert.deepEqual(check(headless, { "log.ts": "const a = 1;", "cli/x.ts": "#!/usr/bin/env node\n// Header.\n" }), ["log.ts"]);
  });
});

function readSources(): Sources {
  const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/"));
  return new Map(files.filter((file) => file.endsWith(".ts")).map((file) => [file, readFileSync(`${SRC}/${file}`, "utf8")]));
}

function strays(sources: Sources): string[] {
  return [...sources.keys()]
    .filter((file) => rank(file) === -1)
    .map((file) => `${file}: belongs to no layer; add it to the list in this test`);
}

function wrongWays(sources: Sources): string[] {
  return eachImport(sources, (file, { specifier }) => {
    if (!isRelative(specifier)) return null;
    const target = resolve(file, specifier);
    const isForbidden = (FORBIDDEN[layer(file)] ?? []).includes(layer(target));
    return isForbidden || rank(target) > rank(file) || target.startsWith("..") ? `imports ${specifier}` : null;
  });
}

function inexactImports(sources: Sources): string[] {
  return eachImport(sources, (_file, { specifier }) =>
    isRelative(specifier) && !specifier.endsWith(".ts") ? `imports ${specifier}` : null,
  );
}

function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    const seenAt = way.indexOf(file);
    if (seenAt !== -1) found.push([...way.slice(seenAt), file].join(" → "));
    if (seenAt !== -1 || done.has(file)) return;
    for (const { specifier } of importsOf(sources.get(file) ?? "")) {
      if (isRelative(specifier)) visit(resolve(file, specifier), [...way, file]);
    }
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return found;
}

function impurities(sources: Sources): string[] {
  const policy = new Map([...sources].filter(([file]) => file.startsWith("policy/")));
  const loads = eachImport(policy, (file, { specifier, isType }) => {
    const allowed = isRelative(specifier) && POLICY_LOADS.includes(layer(resolve(file, specifier)));
    return isType || allowed ? null : `loads ${specifier}`;
  });
  const uses = [...policy].flatMap(([file, text]) => {
    const code = withoutComments(text).replaceAll(/"(?:\\.|[^"\\\n])*"/g, '""');
    return (code.match(IMPURE) ?? []).map((use) => `${file}: uses ${use}`);
  });
  return [...loads, ...uses];
}

function giants(sources: Sources): string[] {
  const counted = [...sources].map(([file, text]) => ({ file, lines: text.trimEnd().split("\n").length }));
  return counted.filter(({ lines }) => lines > MAX_LINES).map(({ file, lines }) => `${file}: ${lines} lines`);
}

function headless(sources: Sources): string[] {
  return [...sources].filter(([, text]) => !/^(?:#!.*\n)?\/[/*]/.test(text)).map(([file]) => file);
}

function eachImport(sources: Sources, judge: (file: string, found: Import) => string | null): string[] {
  return [...sources].flatMap(([file, text]) =>
    importsOf(text).flatMap((found) => {
      const verdict = judge(file, found);
      return verdict === null ? [] : [`${file}: ${verdict}`];
    }),
  );
}

function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const patterns = [
    /^\s*(?:import|export)\s+(?<type>type\s+)?(?:[\w$*\s,]*(?:\{[^{}]*\})?)\s*from\s*"(?<specifier>[^"]+)"/gm,
    /^\s*import\s*"(?<specifier>[^"]+)"/gm,
    /\b(?:import|require)\(\s*"(?<specifier>[^"]+)"/g,
  ];
  const matches = patterns.flatMap((pattern) => [...code.matchAll(pattern)]);
  return matches.map(({ groups }) => ({ specifier: groups?.specifier ?? "", isType: groups?.type !== undefined }));
}

/** Also without the text of template literals, which may hold code for someone else. */
function withoutComments(text: string): string {
  const token =
    /(?<kept>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=[=(,:;!&|?[\n]\s*|return )\/(?![*/])(?:\\.|\[(?:\\.|[^\]\n])*\]|[^/\\\n[])+\/)|`(?:\\.|[^`\\])*`|\/\/.*|\/\*[\s\S]*?\*\//g;
  return text.replaceAll(token, (match, kept: string | undefined) => kept ?? (match.startsWith("`") ? "``" : ""));
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith(".");
}

function resolve(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier);
}

/** "policy/" of policy/state.ts, "errors.ts" of errors.ts. */
function layer(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/") + 1) : file;
}

/** By the innermost folder that has a place in the list. */
function rank(file: string): number {
  for (let end = file.length; end > 0; end = file.lastIndexOf("/", end - 2) + 1) {
    const found = LAYERS.findIndex((names) => names.includes(file.slice(0, end)));
    if (found !== -1) return found;
  }
  return -1;
}
