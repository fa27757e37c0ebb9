// How a command says what is wrong: every problem on a line of its own, on stderr.
import { EXIT_CODES, type ExitReason } from "../errors.ts";

export function reportProblems(problems: readonly string[]): void {
  for (const problem of problems) sayProblem(problem);
  console.error("Run rollcall --help for the options.");
}

/** Says what is wrong, and what the exit code will be. */
export function fail(problem: string, exitCode: number): void {
  sayProblem(problem);
  process.exitCode = exitCode;
}

export function sayProblem(problem: string): void {
  for (const line of printable(problem).split("\n")) console.error(`rollcall: ${line}`);
}

/** What others wrote must not command the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, "?");
}

export interface Failure {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly exitCode: number;
}

/** A failure that Rollcall explains itself has a reason; anything else is its own mistake and shows its stack. */
export function explainFailure(error: unknown): Failure {
  const { message, name, code, reason } = error as { message?: string; name?: string; code?: string; reason?: ExitReason };
  const text = name === "ClusterError" ? String(message) : `${name}: ${message}`;
  if (reason !== undefined)
    return { message: text, fields: { error: name, code, exitCode: EXIT_CODES[reason] }, exitCode: EXIT_CODES[reason] };
  return { message: `Cannot start: ${message ?? String(error)}`, fields: { err: error }, exitCode: EXIT_CODES.internal };
}
