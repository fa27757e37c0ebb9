// The command line: what is a flag, a value, the app and the app's own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readFlags } from "../../../src/config/flags.ts";

function rawOf(argv: readonly string[]): Record<string, unknown> {
  return Object.fromEntries([...readFlags(argv).given].map(([key, { raw }]) => [key, raw]));
}

test("reads both ways to give a value, before and after the app", () => {
  assert.deepEqual(rawOf(["--workers", "4", "server.js", "--stop-timeout=5s"]), { workers: "4", app: "server.js", stopTimeoutMs: "5s" });
  assert.deepEqual(rawOf(["--title=a=b", "--host="]), { title: "a=b", host: "" });
});

test("takes no word for the value of a flag that is on or off", () => {
  assert.deepEqual(rawOf(["--keep-descendants", "server.js"]), { keepDescendants: "on", app: "server.js" });
  assert.deepEqual(rawOf(["server.js", "--keep-descendants=off", "--workers", "2"]), {
    keepDescendants: "off",
    app: "server.js",
    workers: "2",
  });
});

test("takes the last of two, and adds up what repeats", () => {
  assert.deepEqual(rawOf(["--workers", "2", "--workers=3"]), { workers: "3" });
  assert.deepEqual(rawOf(["--port", "80", "--port=81"]), { ports: ["80", "81"] });
  assert.deepEqual(rawOf(["--env", "A=1", "--env=B=2"]), { env: ["A=1", "B=2"] });
});

test("leaves everything behind -- to the app", () => {
  const flags = readFlags(["server.js", "--", "--workers", "x", "--", "-h"]);
  assert.deepEqual(flags.appArgs, ["--workers", "x", "--", "-h"]);
  assert.deepEqual([...flags.given.keys()], ["app"]);
  assert.deepEqual(flags.problems, []);
  assert.equal(flags.asked, null);
});

test("sends further words behind --", () => {
  assert.deepEqual(readFlags(["server.js", "foo", "bar"]).problems, [
    'unexpected "foo bar" after the app; put the app\'s own arguments behind --: server.js -- foo bar',
  ]);
});

test("takes a word with dashes as a value unless it is a flag of Rollcall's", () => {
  assert.deepEqual(rawOf(["--node-arg", "--inspect", "--workers", "-1"]), { nodeArgs: ["--inspect"], workers: "-1" });
  assert.deepEqual(readFlags(["--workers", "--port", "80"]).problems, [
    "--workers: expected a value: --workers <auto|n|n%>; got the option --port",
  ]);
  assert.deepEqual(readFlags(["a.js", "--workers"]).problems, ["--workers: expected a value: --workers <auto|n|n%>"]);
});

test("names the flag that was probably meant, and does not take its value for the app", () => {
  const flags = readFlags(["--wrokers", "4", "server.js"]);
  assert.deepEqual(flags.problems, ['--wrokers: unknown option; did you mean "--workers"?']);
  assert.equal(flags.given.get("app")?.raw, "server.js");
});

test("says where help is when a flag is unknown", () => {
  assert.deepEqual(readFlags(["--zzzzzzz", "a.js"]).problems, ["--zzzzzzz: unknown option; rollcall --help lists Rollcall's"]);
  assert.deepEqual(readFlags(["a.js", "--zzzzzzz"]).problems, [
    "--zzzzzzz: unknown option; the app's own options go behind --, and rollcall --help lists Rollcall's",
  ]);
  assert.match(readFlags(["--app", "a.js"]).problems.join(), /^--app: the app is given without a flag: rollcall /);
  assert.deepEqual(readFlags(["-w", "4", "a.js"]).problems, ['-w: unknown option; did you mean "--workers"?']);
});

test("hears the questions for help and version", () => {
  assert.equal(readFlags(["-h"]).asked, "help");
  assert.equal(readFlags(["--workers", "4", "--help"]).asked, "help");
  assert.equal(readFlags(["-v", "-h"]).asked, "version");
  assert.equal(readFlags(["--version"]).asked, "version");
});
