// What all commands to a running service have in common: find it, ask it, say what is wrong. Runs in the CLI.
import { EXIT_CODES } from "../errors.ts";
import { type Answer, encode, type Request } from "../messenger/control.ts";
import { type ClientArguments, readClientArguments } from "./client-arguments.ts";
import { converse } from "./conversation.ts";
import { findService } from "./find-service.ts";
import { sayProblem } from "./report.ts";

export interface Syntax {
  readonly command: Request["command"];
  /** The command's own flags. */
  readonly flags: readonly string[];
  /** The one word that it takes, in words; null for none. */
  readonly operand: string | null;
  /** The request, or what is wrong with the operand. */
  readonly request: (given: ClientArguments) => Request | string;
}

/** Sends what the arguments ask for. Returns null, with everything said and the exit code set, where that is impossible. */
export async function askService(
  syntax: Syntax,
  argv: readonly string[],
): Promise<{ readonly json: boolean; readonly answers: AsyncGenerator<Answer> } | null> {
  // A reader that has seen enough (`| head`) is no error; the order goes on.
  process.stdout.on("error", () => process.exit());
  const read = readClientArguments(syntax.command, argv, syntax.flags, syntax.operand);
  if (!read.ok) return complain([...read.problems, `see rollcall ${syntax.command} --help`], EXIT_CODES.usage, argv.includes("--json"));
  const { json, control } = read.value;
  const request = syntax.request(read.value);
  if (typeof request === "string") return complain([request], EXIT_CODES.usage, json);
  const found = await findService(control, process.env, process.cwd());
  if (!found.ok) return complain(found.problems, found.exitCode, json);
  return { json, answers: guarded(converse(found.path, request), json) };
}

/** Says what is wrong, on stderr or as an event, and what the exit code will be. */
export function complain(problems: readonly string[], exitCode: number, json: boolean): null {
  if (json) process.stdout.write(encode({ event: "error", message: problems.join("\n") }));
  else for (const problem of problems) sayProblem(problem);
  process.exitCode = exitCode;
  return null;
}

async function* guarded(answers: AsyncGenerator<Answer>, json: boolean): AsyncGenerator<Answer> {
  try {
    yield* answers;
  } catch (error) {
    complain([(error as Error).message], EXIT_CODES.internal, json);
  }
}
