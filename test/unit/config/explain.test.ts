// What `rollcall config` prints.

import assert from "node:assert/strict";
import { test } from "node:test";

import { explainConfig } from "../../../src/config/explain.ts";
import { OPTION_LIST } from "../../../src/config/option-list.ts";
import { resolveConfig } from "../../../src/config/resolve.ts";
import { scratch } from "./scratch.ts";

test("shows every option in human units with where it came from", async (t) => {
  const cwd = await scratch(t, { "server.js": "", "rollcall.config.json": '{ "backoff": { "limit": "2m" } }' });
  const argv = ["server.js", "--workers=50%", "--env=TOKEN=hunter2", "--", "-x", "y"];
  const result = await resolveConfig({ argv, env: { PORT: "3000" }, cwd, isTerminal: false });
  assert.ok(result.ok);
  const text = explainConfig(result.config, result.provenance, result.file);
  const rows = text.split("\n").map((line) => line.split(/ {2,}/));
  for (const row of [
    [`config file: ${cwd}/rollcall.config.json`],
    ["option", "value", "from"],
    ["app", `${cwd}/server.js`, "command line"],
    ["workers", "50%", "--workers"],
    ["port", "3000", "PORT"],
    ["host", "all interfaces", "default"],
    ["stop-timeout", "9s", "default"],
    ["backoff-limit", "2m", "rollcall.config.json"],
    ["backoff-jitter", "10%", "default"],
    ["env", "TOKEN (values not shown)", "--env"],
    ["app arguments", "-x y", "command line"],
  ]) {
    assert.ok(
      rows.some((each) => each.join("|") === row.join("|")),
      `${row.join("  ")} in\n${text}`,
    );
  }
  for (const option of OPTION_LIST)
    if (option.key !== "config")
      assert.ok(
        rows.some(([name]) => name === option.name),
        option.name,
      );
});
