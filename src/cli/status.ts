// `rollcall status [--json]`: what is running, as a page or as the JSON of /status.
import { styleText } from "node:util";
import { EXIT_CODES } from "../errors.ts";
import { askService, complain } from "./client.ts";
import { describeAnswer } from "./progress.ts";
import { printable } from "./report.ts";
import { type Status, statusPage, type Tone } from "./status-table.ts";

const COLOURS = { good: "green", bad: "red", busy: "yellow", faint: "dim" } as const;

export async function status(argv: readonly string[]): Promise<void> {
  const asked = await askService({ command: "status", flags: [], operand: null, request: () => ({ command: "status" }) }, argv);
  if (asked === null) return;
  for await (const answer of asked.answers) {
    if (answer.event !== "status") complain([describeAnswer(answer) ?? answer.event], EXIT_CODES.internal, asked.json);
    else if (asked.json) console.log(JSON.stringify(answer.status));
    else process.stdout.write(statusPage(clean(answer.status) as Status, paint));
  }
}

/** styleText itself leaves the colours out where stdout is no terminal, or NO_COLOR is set. */
function paint(tone: Tone, text: string): string {
  return styleText(COLOURS[tone], text);
}

function clean(value: object): object {
  return JSON.parse(JSON.stringify(value, (_, each: unknown) => (typeof each === "string" ? printable(each) : each))) as object;
}
