// Paths to modules and folders: found as Node finds a main script, or explained.

import assert from "node:assert/strict";
import { chmod, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { resolveEntry, resolveFolder } from "../../../src/config/entry.ts";
import { scratch } from "./scratch.ts";

test("finds files, extensions, indexes, mains and TypeScript", async (t) => {
  const folder = await scratch(t, {
    "a.js": "",
    "b.ts": "",
    "c.mjs": "",
    "index/index.js": "",
    "typed/index.ts": "",
    "main/package.json": '{ "main": "lib/start.js" }',
    "main/lib/start.js": "",
  });
  await symlink("a.js", join(folder, "link.js"));
  for (const [given, found] of [
    ["a.js", "a.js"],
    ["./a", "a.js"],
    ["b.ts", "b.ts"],
    ["b", "b.ts"],
    ["c.mjs", "c.mjs"],
    ["index", "index/index.js"],
    ["index/", "index/index.js"],
    ["typed", "typed/index.ts"],
    ["main", "main/lib/start.js"],
    ["link.js", "link.js"],
    [join(folder, "a.js"), "a.js"],
  ] as const) {
    assert.deepEqual(resolveEntry(given, folder), { ok: true, path: join(folder, found) }, given);
  }
});

test("finds a module beside a package.json that cannot be read", async (t) => {
  const folder = await scratch(t, { "a.js": "", "package.json": "{ broken" });
  assert.deepEqual(resolveEntry("a.js", folder), { ok: true, path: join(folder, "a.js") });
});

test("names the absolute path that it looked for", async (t) => {
  const folder = await scratch(t, { "empty/": "", "a.js": "" });
  assert.deepEqual(resolveEntry("gone.js", folder), {
    ok: false,
    problem: `expected a module; cannot open ${folder}/gone.js: no such file`,
  });
  assert.deepEqual(resolveEntry("a.js/b", folder), { ok: false, problem: `expected a module; cannot open ${folder}/a.js/b: no such file` });
  assert.deepEqual(resolveEntry("empty", folder), {
    ok: false,
    problem: `expected a module; ${folder}/empty is a folder without an index.js or a package.json whose "main" exists`,
  });
});

test("explains a module that it may not read", async (t) => {
  const folder = await scratch(t, { "a.js": "" });
  await chmod(join(folder, "a.js"), 0);
  const isReadable = await readFile(join(folder, "a.js")).then(
    () => true,
    () => false,
  );
  if (isReadable) return t.skip("the user of this test may read everything");
  assert.deepEqual(resolveEntry("a.js", folder), { ok: false, problem: `cannot read ${folder}/a.js: permission denied` });
});

test("finds folders", async (t) => {
  const folder = await scratch(t, { "sub/": "", "a.js": "" });
  assert.deepEqual(resolveFolder("sub", folder), { ok: true, path: join(folder, "sub") });
  assert.deepEqual(resolveFolder("a.js", folder), { ok: false, problem: `expected a folder; got the file ${folder}/a.js` });
  assert.deepEqual(resolveFolder("gone", folder), { ok: false, problem: `expected a folder; cannot open ${folder}/gone: no such file` });
});
