// The text of `rollcall config`: each option's value in human units, and where it came from. Runs in the CLI. Pure.

import type { Config, Provenance } from "./config.ts";
import { type AnyOption, formatValue, OPTION_LIST } from "./option-list.ts";

/** `file` is the config file that was read, if any. Values of `env` are not shown: they may be secrets. */
export function explainConfig(config: Config, provenance: readonly Provenance[], file: string | null): string {
  const rows = provenance.flatMap(({ option: name, source }) => {
    const option = OPTION_LIST.find((each) => each.name === name);
    return option === undefined ? [] : [[name, formatValue(option, valueIn(config, option)), source]];
  });
  if (config.appArgs.length > 0) rows.push(["app arguments", config.appArgs.join(" "), "command line"]);
  return `config file: ${file ?? "none"}\n\n${table([["option", "value", "from"], ...rows])}\n`;
}

/** `backoff.delayMs` is one level down. */
function valueIn(config: Config, option: AnyOption): unknown {
  return option.key.split(".").reduce<unknown>((value, part) => (value as Record<string, unknown>)[part], config);
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
