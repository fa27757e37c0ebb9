// The words behind the name of a command that talks to a running service. Pure.
import { didYouMean } from "../config/suggest.ts";
import { flagValueAt } from "./flag-value.ts";

export interface ClientArguments {
  /** What --control says. */
  readonly control: string | null;
  readonly json: boolean;
  /** Of the command's own flags, those that are given. */
  readonly flags: ReadonlySet<string>;
  readonly operand: string | null;
}

export type ReadArguments =
  | { readonly ok: true; readonly value: ClientArguments }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * @param own the flags of this command, beside --control and --json
 * @param operand the name of the one word that it takes; null when it takes none
 */
export function readClientArguments(
  command: string,
  argv: readonly string[],
  own: readonly string[],
  operand: string | null,
): ReadArguments {
  const problems: string[] = [];
  const flags = new Set<string>();
  const words: string[] = [];
  let control: string | null = null;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    const named = flagValueAt(argv, index, "--control");
    if (named !== null) {
      control = named.value;
      index += named.length - 1;
      if (control === "") problems.push("--control: expected the path of a socket");
    } else if (word === "--json" || own.includes(word)) flags.add(word);
    else if (/^-(?!\d)/.test(word)) problems.push(`${command}: unknown option ${word}${didYouMean(word, ["--control", "--json", ...own])}`);
    else words.push(word);
  }
  const [first = null, ...rest] = words;
  if (operand === null ? first !== null : rest.length > 0)
    problems.push(`${command}: unexpected "${(operand === null ? words : rest).join(" ")}"`);
  if (operand !== null && first === null) problems.push(`${command}: expected ${operand}`);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: { control, json: flags.delete("--json"), flags, operand: first } };
}
