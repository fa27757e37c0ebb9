// --egg: where the application and its framework are, as egg-bin and egg-scripts find them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { ownFile } from "../../../src/package/own-file.ts";
import { scratch } from "./scratch.ts";

const EGG = { "node_modules/egg/package.json": "{}" };
const APP = { "package.json": "{}", ...EGG };

interface Input {
  readonly argv: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly env?: Record<string, string>;
  readonly handed?: unknown;
}

async function resolve(t: TestContext, { argv, files, env = {}, handed }: Input) {
  const folder = await scratch(t, files);
  const more = handed === undefined ? {} : { handed: { options: handed, appArgs: [] } };
  const result = await resolveConfig({ argv, env, cwd: folder, isTerminal: false, ...more });
  const shorten = (path: string): string => path.replaceAll(folder, ".");
  if (!result.ok) return { problems: result.problems.map(shorten) };
  const { egg, app, agent, cwd, title } = result.config;
  assert.deepEqual([app, agent], [ownFile("egg/worker", ".js"), ownFile("egg/agent", ".js")]);
  return { folder: shorten(egg?.folder ?? ""), framework: shorten(egg?.framework ?? ""), options: egg?.options, cwd: shorten(cwd), title };
}

const found = (folder: string, more: object = {}): object => ({
  ...{ folder, framework: join(folder, "node_modules/egg"), options: {}, cwd: folder, title: null },
  ...more,
});

test("takes the working folder, or the one that is named and works there", async (t) => {
  const here = found(".", { framework: "./node_modules/egg" });
  assert.deepEqual(await resolve(t, { argv: ["--egg"], files: APP }), here);
  assert.deepEqual(await resolve(t, { argv: ["--egg", "--workers", "2"], files: APP }), here);
  const inFolder = Object.fromEntries(Object.entries(APP).map(([name, text]) => [`site/${name}`, text]));
  const files = { ...inFolder, "site/rollcall.config.json": '{ "title": "of the site" }' };
  const site = { ...found("./site"), framework: "./site/node_modules/egg", title: "of the site" };
  assert.deepEqual(await resolve(t, { argv: ["--egg", "site"], files }), site);
  assert.deepEqual(await resolve(t, { argv: [], env: { ROLLCALL_EGG: "site" }, files }), site);
  assert.deepEqual(await resolve(t, { argv: ["--egg", "site", "--cwd", "."], files }), { ...site, cwd: ".", title: null });
});

test("moves no path that was given: only the children work in the application's folder, and paths in its own config file start there", async (t) => {
  const files = {
    ...{ "site/package.json": "{}", "site/node_modules/egg/package.json": "{}", "other/.keep": "" },
    ...{ "key.pem": "", "cert.pem": "", "first.cjs": "", "site/rollcall.config.json": '{ "control": "run/c.sock" }' },
    "own.json": '{ "pidFile": "own.pid" }',
  };
  const cwd = await scratch(t, files);
  const find = async (argv: readonly string[], env: Record<string, string> = {}) => {
    const result = await resolveConfig({ argv, env, cwd, isTerminal: false });
    assert.ok(result.ok, JSON.stringify(result));
    const { config, provenance } = result;
    const paths = [config.cwd, config.pidFile, config.control, config.httpsKey, config.httpsCert, ...config.requires];
    return {
      paths: paths.map((each) => each?.replaceAll(cwd, ".") ?? null),
      cwd: provenance.find(({ option }) => option === "cwd")?.source,
    };
  };
  const given = ["--pid-file", "run/e.pid", "--https-key", "key.pem", "--https-cert", "cert.pem", "--require", "./first.cjs"];
  assert.deepEqual(await find(["--egg", "site", ...given]), {
    paths: ["./site", "./run/e.pid", "./site/run/c.sock", "./key.pem", "./cert.pem", "./first.cjs"],
    cwd: "--egg",
  });
  assert.deepEqual(await find(["--egg", "site"], { ROLLCALL_CONTROL: "e.sock" }), {
    paths: ["./site", null, "./e.sock", null, null],
    cwd: "--egg",
  });
  assert.deepEqual(await find(["--egg", "site", "--config", "own.json"]), {
    paths: ["./site", "./own.pid", null, null, null],
    cwd: "--egg",
  });
  assert.deepEqual(await find(["--egg", "../site", "--cwd", "other", "--pid-file", "e.pid"]), {
    paths: ["./other", "./other/e.pid", null, null, null],
    cwd: "--cwd",
  });
});

test("is named in a config file too, with more for Egg", async (t) => {
  const here = found(".", { framework: "./node_modules/egg" });
  const withPackage = (rollcall: object): Record<string, string> => ({ ...EGG, "package.json": JSON.stringify({ rollcall }) });
  assert.deepEqual(await resolve(t, { argv: [], files: withPackage({ egg: true }) }), here);
  const plugins = { plugins: { static: false } };
  assert.deepEqual(await resolve(t, { argv: [], files: withPackage({ egg: { baseDir: ".", ...plugins } }) }), {
    ...here,
    options: plugins,
  });
  assert.deepEqual(await resolve(t, { argv: [], files: APP, handed: { egg: true } }), here);
});

test("finds the framework: what is asked for, what package.json says, else egg; here or further up", async (t) => {
  const chef = { "node_modules/chef/package.json": "{}", "package.json": '{ "egg": { "framework": "chef" } }' };
  const chefHere = found(".", { framework: "./node_modules/chef" });
  assert.deepEqual(await resolve(t, { argv: ["--egg"], files: chef }), chefHere);
  assert.deepEqual(await resolve(t, { argv: [], files: { ...APP, ...chef }, handed: { egg: { framework: "egg" } } }), {
    ...chefHere,
    framework: "./node_modules/egg",
  });
  assert.deepEqual(await resolve(t, { argv: ["--egg", "packages/site"], files: { ...EGG, "packages/site/package.json": "{}" } }), {
    ...found("./packages/site"),
    framework: "./node_modules/egg",
  });
});

test("says what is wrong", async (t) => {
  const problemOf = async (files: Record<string, string>, argv: readonly string[] = ["--egg"]): Promise<unknown> =>
    ((await resolve(t, { argv, files })) as { problems?: readonly string[] }).problems;
  assert.deepEqual(await problemOf({}), ["--egg: expected the folder of an Egg application; ./package.json does not exist"]);
  const nowhere = `looked in ./node_modules and ${join(process.cwd(), "node_modules")}: run npm install`;
  assert.deepEqual(await problemOf({ "package.json": "{}" }), [`--egg: the framework "egg" is not installed; ${nowhere}`]);
  assert.deepEqual(await problemOf({ "package.json": '{ "egg": { "framework": 7 } }' }), [
    "--egg: ./package.json: egg.framework: expected the name of a package; got 7",
  ]);
  assert.match(String(await problemOf({ "package.json": "{" })), /^package\.json: expected JSON; got: /);
  const both = await problemOf({ ...APP, "server.js": "" }, ["--egg", ".", "server.js"]);
  assert.deepEqual(both, ["egg (., --egg) brings its own app and agent: give the one or the others"]);
  assert.deepEqual(
    await problemOf(APP, ["--egg", "package.json"]),
    ["expected a folder; got the file ./package.json"].map((each) => `--egg: ${each}`),
  );
});
