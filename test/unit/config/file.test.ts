// Config files: where they are found, every form they may have, and what is said when they fail.

import assert from "node:assert/strict";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { type ConfigFile, readConfigFile } from "../../../src/config/file.ts";
import { scratch } from "./scratch.ts";

const DEADLINE_MS = 20_000;

async function read(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  asked?: string,
  deadlineMs = DEADLINE_MS,
): Promise<ConfigFile> {
  const folder = await scratch(t, files);
  const given = asked === undefined ? undefined : { raw: asked, source: "--config", label: "--config" };
  return readConfigFile(folder, given, process.env, deadlineMs);
}

function rawOf(file: ConfigFile): Record<string, unknown> {
  assert.ok(file.kind === "found", JSON.stringify(file));
  assert.deepEqual(file.layer.problems, []);
  return Object.fromEntries([...file.layer.given].map(([key, { raw }]) => [key, raw]));
}

function problemOf(file: ConfigFile): string {
  assert.ok(file.kind === "failed", JSON.stringify(file));
  return file.problem;
}

const FORMS: Readonly<Record<string, string>> = {
  "rollcall.config.ts": "const workers: number = 3;\nexport default { workers };",
  "rollcall.config.js": "export default { workers: 3 };",
  "rollcall.config.mjs": "export default async () => ({ workers: await 3 });",
  "rollcall.config.json": '\uFEFF{ "workers": 3 }',
  "package.json": '{ "name": "x", "rollcall": { "workers": 3 } }',
};

for (const [name, text] of Object.entries(FORMS)) {
  test(`finds ${name}`, async (t) => {
    const file = await read(t, { [name]: text });
    assert.deepEqual(rawOf(file), { workers: 3 });
    assert.ok(file.kind === "found");
    const source = name === "package.json" ? "package.json#rollcall" : name;
    assert.deepEqual(file.layer.given.get("workers"), { raw: 3, source, label: `${source}: workers` });
    assert.ok(file.path.endsWith(name));
  });
}

test("prefers code to JSON and a file to package.json", async (t) => {
  const file = await read(t, { ...FORMS, "rollcall.config.ts": "export default { workers: 7 };" });
  assert.deepEqual(rawOf(file), { workers: 7 });
});

test("finds nothing where nothing is", async (t) => {
  assert.deepEqual(await read(t, {}), { kind: "none" });
  assert.deepEqual(await read(t, { "package.json": '{ "name": "x" }' }), { kind: "none" });
});

test("reads the file that --config names, CommonJS too", async (t) => {
  const file = await read(t, { ...FORMS, "deploy/prod.cjs": "module.exports = () => ({ workers: 9 });" }, "deploy/prod.cjs");
  assert.deepEqual(rawOf(file), { workers: 9 });
  assert.ok(file.kind === "found");
  assert.equal(file.layer.given.get("workers")?.source, join("deploy", "prod.cjs"));
});

test("reads the default export of compiled CommonJS", async (t) => {
  const text = 'Object.defineProperty(exports, "__esModule", { value: true }); exports.default = { workers: 2 };';
  assert.deepEqual(rawOf(await read(t, { "a.cjs": text }, "a.cjs")), { workers: 2 });
});

test("keeps the configuration apart from what the code prints, and does not wait for its handles", async (t) => {
  const text =
    'console.log(""); setInterval(() => {}, 1e6); process.on("exit", () => { for (;;); }); export default { title: "x".repeat(300_000) };';
  assert.equal((rawOf(await read(t, { "rollcall.config.mjs": text })).title as string).length, 300_000);
});

const FAILING: readonly (readonly [what: string, code: string, problem: RegExp])[] = [
  ["throws", "\nthrow new TypeError('no database');", /^c\.mjs: threw TypeError: no database \(at file:.*c\.mjs:2:7\)$/],
  ["rejects", "export default async () => { throw new Error('late'); };", /^c\.mjs: threw Error: late \(at .*c\.mjs:1:36\)?\)$/],
  ["throws what is no error", "throw 'words';", /^c\.mjs: threw "words"$/],
  [
    "throws from a timer",
    "setTimeout(() => { throw new Error('timer'); }); await new Promise(() => setInterval(() => {}, 1e6));",
    /threw Error: timer/,
  ],
  ["has a syntax error", "\nexport default {", /^c\.mjs: threw SyntaxError: .* \(at \/.*c\.mjs:2\)$/],
  ["imports what is missing", "import 'not-there-at-all';", /^c\.mjs: threw Error: Cannot find package 'not-there-at-all'/],
  ["has no default export", "export const workers = 3;", /^c\.mjs: no default export; expected an object of options, or a function/],
  ["returns nothing", "export default () => {};", /^c\.mjs: expected its default export to be an object .*; got undefined$/],
  ["is a list", "export default [1];", /; got a list$/],
  ["is a number", "export default 5;", /; got 5$/],
  ["holds a function", "export default { backoff: { delay() {} } };", /^c\.mjs: expected plain JSON; got a function at "backoff\.delay"$/],
  ["holds a date", "export default { title: new Date() };", /^c\.mjs: expected plain JSON; got a Date object at "title"$/],
  ["holds NaN", "export default { workers: NaN };", /^c\.mjs: expected plain JSON; got NaN at "workers"$/],
  ["holds a cycle", "const a = {}; a.env = a; export default a;", /^c\.mjs: expected plain JSON; got a cycle at "env"$/],
  ["exits", "process.exit(3);", /^c\.mjs: its process exited with code 3 before it gave its options$/],
  [
    "dies",
    "process.kill(process.pid, 'SIGKILL'); await new Promise(() => setInterval(() => {}, 1e6));",
    /killed by SIGKILL before it gave its options$/,
  ],
  ["awaits for ever", "await new Promise(() => {});", /^c\.mjs: never settles: nothing is left/],
  ["can never settle", "export default () => new Promise(() => {});", /^c\.mjs: never settles: nothing is left/],
];

for (const [what, code, problem] of FAILING) {
  test(`explains code that ${what}`, async (t) => {
    assert.match(problemOf(await read(t, { "c.mjs": code }, "c.mjs")), problem);
  });
}

test("explains TypeScript that cannot be stripped", async (t) => {
  const file = await read(t, { "rollcall.config.ts": "\nenum A { B }\nexport default {};" });
  assert.match(
    problemOf(file),
    /^rollcall\.config\.ts: threw SyntaxError: TypeScript enum is not supported .*\(at \/.*rollcall\.config\.ts:2\)$/,
  );
});

test("kills code that spins or hangs at the deadline", async (t) => {
  for (const code of ["for (;;);", "await new Promise(() => setInterval(() => {}, 1e6));"]) {
    assert.equal(
      problemOf(await read(t, { "rollcall.config.mjs": code }, undefined, 700)),
      "rollcall.config.mjs: timed out after 0.7s; a config file must settle by itself",
    );
  }
});

test("gives the place of bad JSON, whatever V8 says about it", async (t) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{\n  "a": 1,\n  bad\n}', /^rollcall\.config\.json: expected JSON; got: .*line 3 column 3\)$/s],
    ['{ "a": bad }', /line 1 column 8\)$/s],
    ['{\n "a": 1', /line 2 column 8\)$/],
    ["", /line 1 column 1\)$/],
    ['{ "a": 1, }', /line 1 column 11\)$/],
  ];
  for (const [text, problem] of cases) assert.match(problemOf(await read(t, { "rollcall.config.json": text })), problem);
  assert.match(problemOf(await read(t, { "package.json": "{ x" })), /^package\.json: expected JSON; got: /);
});

test("explains a file that cannot be read", async (t) => {
  assert.match(problemOf(await read(t, {}, "gone.json")), /^--config: cannot read \/.*\/gone\.json: no such file$/);
  assert.match(problemOf(await read(t, { "dir.json/": "" }, "dir.json")), /^--config: cannot read \/.*\/dir\.json: it is a folder$/);
  assert.match(problemOf(await read(t, { "rollcall.config.ts/": "" })), /^cannot read .*rollcall\.config\.ts: it is a folder$/);
  assert.match(
    problemOf(await read(t, { "a.yaml": "" }, "a.yaml")),
    /^--config: expected a file that ends in \.json, .*; got \/.*a\.yaml$/,
  );
});

test("explains a file that it may not read", async (t) => {
  const folder = await scratch(t, { "rollcall.config.json": "{}" });
  await chmod(join(folder, "rollcall.config.json"), 0);
  const isReadable = await readFile(join(folder, "rollcall.config.json")).then(
    () => true,
    () => false,
  );
  if (isReadable) return t.skip("the user of this test may read everything");
  assert.match(problemOf(await readConfigFile(folder, undefined, {}, DEADLINE_MS)), /permission denied$/);
});

test("takes keys in both spellings, the nested backoff, null and $schema", async (t) => {
  const text = JSON.stringify({
    $schema: "x",
    stopTimeout: "5s",
    "boot-timeout": 1,
    agent: null,
    backoff: { delay: 1, jitter: 0.2 },
    backoffLimit: 3,
  });
  assert.deepEqual(rawOf(await read(t, { "rollcall.config.json": text })), {
    stopTimeoutMs: "5s",
    bootTimeoutMs: 1,
    "backoff.delayMs": 1,
    "backoff.jitter": 0.2,
    "backoff.limitMs": 3,
  });
});

test("refuses unknown and doubled keys with the file's name", async (t) => {
  const text = JSON.stringify({
    worker: 1,
    stopTimeOut: 1,
    "boot-timout": 1,
    backoff: { dealy: 1 },
    qqqqqqqq: 1,
    config: "x",
    bootTimeout: 1,
    "boot-timeout": 2,
  });
  const file = await read(t, { "package.json": `{ "rollcall": ${text} }` });
  assert.ok(file.kind === "found");
  assert.deepEqual(file.layer.problems, [
    'package.json#rollcall: unknown option "worker"; did you mean "workers"?',
    'package.json#rollcall: unknown option "stopTimeOut"; did you mean "stopTimeout"?',
    'package.json#rollcall: unknown option "boot-timout"; did you mean "boot-timeout"?',
    'package.json#rollcall: unknown option "backoff.dealy"; did you mean "backoff.delay"?',
    'package.json#rollcall: unknown option "qqqqqqqq"',
    'package.json#rollcall: "config" cannot be given in a config file',
    'package.json#rollcall: "boot-timeout" is given twice, as bootTimeout and as boot-timeout',
  ]);
});

test("refuses JSON that is no object", async (t) => {
  const file = await read(t, { "rollcall.config.json": "[1]" });
  assert.ok(file.kind === "found");
  assert.deepEqual(file.layer.problems, ["rollcall.config.json: expected an object of options; got [1]"]);
});
