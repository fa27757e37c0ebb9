// Reads the command line. Runs in the master, at start only. Pure; an option takes the next word as its value, but for those that are on or off.

import type { Given, Layer } from "./layer.ts";
import { type AnyOption, OPTION_LIST, optionNamed } from "./option-list.ts";
import { type Key, USAGE } from "./options.ts";
import { suggest } from "./suggest.ts";

export interface Flags extends Layer {
  /** What follows `--`. */
  readonly appArgs: readonly string[];
  /** `-h`, `--help`, `-v` or `--version`, whichever came first; it stands above all problems. */
  readonly asked: "help" | "version" | null;
}

const ASKED: Readonly<Record<string, "help" | "version">> = { "-h": "help", "--help": "help", "-v": "version", "--version": "version" };

/** What pm2, gunicorn, puma and egg-scripts call ours. */
const HABITS: Readonly<Record<string, string>> = {
  ...{ "-i": "--workers", "-w": "--workers", "--instances": "--workers", "-p": "--port", "-b": "--host", "--bind": "--host" },
  ...{ "-c": "--config", "-e": "--env", "-n": "--title", "--name": "--title", "--kill-timeout": "--stop-timeout" },
};

/** Takes what follows the command's name. Of an option given twice the last counts; a repeatable one adds up. */
export function readFlags(argv: readonly string[]): Flags {
  const end = argv.indexOf("--");
  const words = end === -1 ? argv : argv.slice(0, end);
  const given = new Map<Key, Given>();
  const problems: string[] = [];
  const extra: string[] = [];
  let asked: "help" | "version" | null = null;

  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (ASKED[word] !== undefined) {
      asked ??= ASKED[word];
    } else if (!word.startsWith("-") || word === "-") {
      if (given.has("app")) extra.push(word);
      else given.set("app", { raw: word, source: "command line", label: "app" });
    } else {
      const { flag, inline } = split(word);
      const option = optionOf(flag);
      const next = words[i + 1];
      const bare = option?.kind.bare;
      const hasNext = next !== undefined && !isFlag(next);
      const value = inline ?? bare ?? (hasNext ? next : option?.kind.implied);
      if (option === undefined) {
        const guess = HABITS[flag] ?? suggest(flag, FLAG_NAMES);
        problems.push(unknownFlag(flag, guess, given.has("app")));
        // The value of a misspelt option must not be taken for the app.
        if (guess !== null && inline === undefined && value !== undefined) i++;
      } else if (value === undefined) {
        problems.push(
          `${flag}: expected a value: ${flag} ${option.kind.placeholder}${next === undefined ? "" : `; got the option ${next}`}`,
        );
      } else {
        if (inline === undefined && bare === undefined && hasNext) i++;
        given.set(option.key, { raw: added(option, given.get(option.key), value), source: flag, label: flag });
      }
    }
  }
  if (extra.length > 0) {
    const args = extra.join(" ");
    problems.push(`unexpected "${args}" after the app; put the app's own arguments behind --: ${given.get("app")?.raw} -- ${args}`);
  }
  return { given, problems, appArgs: end === -1 ? [] : argv.slice(end + 1), asked };
}

const FLAG_NAMES: readonly string[] = [
  ...OPTION_LIST.filter((each) => each.name !== "app").map((each) => `--${each.name}`),
  "--help",
  "--version",
];

function split(word: string): { flag: string; inline: string | undefined } {
  const equals = word.startsWith("--") ? word.indexOf("=") : -1;
  return equals === -1 ? { flag: word, inline: undefined } : { flag: word.slice(0, equals), inline: word.slice(equals + 1) };
}

function optionOf(flag: string): AnyOption | undefined {
  return FLAG_NAMES.includes(flag) ? optionNamed(flag.slice(2)) : undefined;
}

/** Only Rollcall's own flags end a missing value: `--node-arg --inspect` and `--workers -1` mean what they say. */
function isFlag(word: string): boolean {
  return ASKED[word] !== undefined || FLAG_NAMES.includes(split(word).flag);
}

function unknownFlag(flag: string, guess: string | null, isAfterApp: boolean): string {
  if (flag === "--app") return `--app: the app is given without a flag: ${USAGE}`;
  if (guess !== null) return `${flag}: unknown option; did you mean "${guess}"?`;
  return `${flag}: unknown option; ${isAfterApp ? "the app's own options go behind --, and " : ""}rollcall --help lists Rollcall's`;
}

function added(option: AnyOption, before: Given | undefined, value: string): unknown {
  if (option.kind.repeatable !== true) return value;
  return before === undefined ? [value] : [...(before.raw as readonly string[]), value];
}
