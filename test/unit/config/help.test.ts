// The help: complete, and no wider than the terminal.

import assert from "node:assert/strict";
import { test } from "node:test";

import { COMMANDS } from "../../../src/config/commands.ts";
import { commandHelp, helpText } from "../../../src/config/help.ts";
import { defaultText, OPTION_LIST } from "../../../src/config/option-list.ts";
import { EXIT_MEANINGS } from "../../../src/errors.ts";

test("mentions every option, its default, and every exit code", () => {
  const help = helpText(100).replace(/\s+/g, " ");
  for (const option of OPTION_LIST) {
    assert.ok(help.includes(option.key === "app" ? "<app>" : ` --${option.name} ${option.kind.placeholder.slice(0, 1)}`), option.name);
    assert.ok(help.includes(option.meaning), option.meaning);
    if (defaultText(option) !== "none") assert.ok(help.includes(`[${defaultText(option)}]`), option.name);
  }
  for (const meaning of Object.values(EXIT_MEANINGS)) assert.ok(help.includes(meaning), meaning);
});

test("fits the terminal's width", () => {
  for (const columns of [0, 60, 80, 100, 300]) {
    const width = Math.min(Math.max(columns, 76), 100);
    const texts = [helpText(columns), ...COMMANDS.map(({ name }) => commandHelp(name, columns) ?? "")];
    for (const line of texts.join("\n").split("\n")) {
      assert.ok(line.length <= width, `${line.length} columns of ${columns}: ${line}`);
      assert.equal(line, line.trimEnd());
    }
  }
});

test("lists every command, and gives help of its own to those that talk to a service", () => {
  const help = helpText(100);
  for (const { name, usage, meaning, connects } of COMMANDS) {
    assert.ok(help.includes(`  ${usage} `) && help.includes(meaning), name);
    const own = commandHelp(name, 100);
    if (connects === true) assert.ok(own?.includes("--control <path>"), name);
    if (own !== null) assert.ok(own.startsWith(`Usage:\n  rollcall ${usage}`), own);
  }
  assert.equal(commandHelp("server.js", 100), null);
});
