// The text of `rollcall --help`, from the tables of options and commands. Runs in the CLI. Pure.

import { EXIT_CODES, EXIT_MEANINGS, type ExitReason } from "../errors.ts";
import { COMMANDS, CONNECTION, type CommandHelp } from "./commands.ts";
import { type AnyOption, defaultText, OPTION_LIST } from "./option-list.ts";
import { USAGE } from "./options.ts";

const EXAMPLES: readonly string[] = [
  "rollcall server.js",
  "rollcall --workers 4 --port 3000 --agent agent.js server.js -- --verbose",
  "ROLLCALL_WORKERS=50% rollcall --ready-when /healthz dist/main.js",
];

const LEFT = 30;

const NO_BREAK = "\u00a0";

/** `columns` is the terminal's width; between 60 and 100 of them are used. */
export function helpText(columns: number): string {
  const width = Math.min(Math.max(columns, 60), 100);
  const sections = [
    wrap("Rollcall is PID 1 for a Node.js service in a container: one agent, one worker per CPU, probes and metrics.", width).join("\n"),
    `Usage:\n  ${USAGE}\n  rollcall <command> [options]`,
    `Commands (rollcall <command> --help says more):\n${COMMANDS.map(({ usage, meaning }) => row(usage, meaning, width)).join("\n")}`,
    ...groups().map(([title, options]) => `${title}:\n${options.map((option) => optionRow(option, width)).join("\n")}`),
    `Other:\n${row("-h, --help", "show this text", width)}\n${row("-v, --version", "show the version", width)}`,
    wrap(
      "Every option is also read from ROLLCALL_<NAME> (ROLLCALL_STOP_TIMEOUT=20s) and from rollcall.config.{ts,js,mjs,json} or " +
        'the "rollcall" key of package.json. Flags win over the environment, the environment over the file. ' +
        "Times take 500ms, 5s, 2m or 1h; a bare number is milliseconds.",
      width,
    ).join("\n"),
    `Exit codes:\n${exitCodes()
      .map(([code, meaning]) => hang(`  ${code.padEnd(7)}`, meaning, width))
      .join("\n")}`,
    `Examples:\n${EXAMPLES.map((example) => `  ${example}`).join("\n")}`,
  ];
  return `${sections.join("\n\n")}\n`.replaceAll(NO_BREAK, " ");
}

/** The help of one command; null for `run`, whose options are the whole text, and for what is none. */
export function commandHelp(name: string | undefined, columns: number): string | null {
  const command = COMMANDS.find((each) => each.name === name);
  if (command?.details === undefined) return null;
  const width = Math.min(Math.max(columns, 60), 100);
  const options = [...(command.options ?? []), ...(command.connects === true ? CONNECTION : [])];
  const sections = [
    `Usage:\n  rollcall ${command.usage}${options.length === 0 ? "" : " [options]"}`,
    ...command.details.map((paragraph) => wrap(paragraph, width).join("\n")),
    ...(options.length === 0 ? [] : [`Options:\n${options.map(([flag, meaning]) => row(flag, meaning, width)).join("\n")}`]),
    `Exit codes:\n${exitsOf(command)
      .map(([code, meaning]) => hang(`  ${code.padEnd(7)}`, meaning, width))
      .join("\n")}`,
  ];
  return `${sections.join("\n\n")}\n`;
}

function exitsOf({ exits, connects }: CommandHelp): readonly (readonly [string, string])[] {
  if (connects !== true) return exits;
  return [...exits, ["2", "wrong use, or several services are running and none is named"]];
}

/** The options under their headings, in the order of the table. */
export function groups(): readonly (readonly [title: string, options: readonly AnyOption[]])[] {
  const found: [string, AnyOption[]][] = [];
  for (const option of OPTION_LIST) {
    if (option.group !== undefined) found.push([option.group, []]);
    found.at(-1)?.[1].push(option);
  }
  return found;
}

/** Codes and meanings, with the one that is computed. */
export function exitCodes(): readonly (readonly [code: string, meaning: string])[] {
  const reasons = Object.keys(EXIT_CODES) as ExitReason[];
  return [
    ...reasons.map((reason) => [String(EXIT_CODES[reason]), EXIT_MEANINGS[reason]] as const),
    ["128+n", "fast stop by a second signal n"],
  ];
}

function optionRow(option: AnyOption, width: number): string {
  const left = option.key === "app" ? "<app>" : `--${option.name} ${option.kind.placeholder}`.trimEnd();
  const usual = defaultText(option);
  // The default stays on one line: `wrap` breaks at plain spaces only.
  return row(left, usual === "none" ? option.meaning : `${option.meaning} [${usual.replaceAll(" ", NO_BREAK)}]`, width);
}

function row(left: string, right: string, width: number): string {
  return hang(`  ${left}`.padEnd(LEFT), right, width);
}

/** Text with a label in the margin; a label that is too long has a line of its own. */
function hang(label: string, text: string, width: number): string {
  const margin = label.startsWith("  ") && label.length <= LEFT && label.endsWith(" ") ? label.length : LEFT;
  const [first = "", ...rest] = wrap(text, width - margin);
  const head = label.endsWith(" ") ? label + first : `${label}\n${" ".repeat(margin)}${first}`;
  return [head, ...rest.map((line) => " ".repeat(margin) + line)].join("\n");
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
