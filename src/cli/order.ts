// `rollcall reload | scale | restart | drain | undrain | stop`: gives the order to the running service and tells how it goes until it is done.
// Ctrl-C ends the telling, not the order.
import { MOST_WORKERS } from "../config/kinds.ts";
import { EXIT_CODES } from "../errors.ts";
import { type Answer, encode, type Request } from "../messenger/control.ts";
import { askService, complain, type Syntax } from "./client.ts";
import type { ClientArguments } from "./client-arguments.ts";
import { describeAnswer } from "./progress.ts";
import { printable, sayProblem } from "./report.ts";

export type OrderName = Exclude<Request["command"], "status">;

const ORDERS: Readonly<Record<OrderName, Omit<Syntax, "command">>> = {
  reload: { flags: ["--agent"], operand: null, request: ({ flags }) => ({ command: "reload", agent: flags.has("--agent") }) },
  scale: { flags: [], operand: "a number of workers, such as 4, +1 or -1", request: scaleRequest },
  restart: { flags: [], operand: "agent or the number of a worker's slot", request: restartRequest },
  drain: { flags: [], operand: null, request: () => ({ command: "drain" }) },
  undrain: { flags: [], operand: null, request: () => ({ command: "undrain" }) },
  stop: { flags: ["--fast"], operand: null, request: ({ flags }) => ({ command: "stop", fast: flags.has("--fast") }) },
};

export async function order(command: OrderName, argv: readonly string[]): Promise<void> {
  const asked = await askService({ command, ...ORDERS[command] }, argv);
  if (asked === null) return;
  let last: Answer | null = null;
  for await (const answer of asked.answers) {
    last = answer;
    tell(answer, asked.json);
  }
  // What kept it from being asked is said already.
  if (process.exitCode !== undefined) return;
  process.exitCode = conclude(command, last, asked.json);
}

function tell(answer: Answer, json: boolean): void {
  if (json) return void process.stdout.write(encode(answer));
  const line = describeAnswer(answer);
  if (line === null) return;
  if (answer.event === "error" || answer.event === "failed") sayProblem(line);
  else console.log(printable(line));
}

function conclude(command: OrderName, last: Answer | null, json: boolean): number {
  const event = last?.event;
  if (event === "done" || event === "ended") return EXIT_CODES.ok;
  if (event === "failed" || event === "error") return EXIT_CODES.internal;
  // Only the end of the master closes the connection before the last word.
  if (command === "stop") {
    if (!json) console.log("stopped: the service has ended; its exit code is not known");
    return EXIT_CODES.ok;
  }
  complain([`${command}: the connection was lost before it was done; rollcall status says what runs now`], EXIT_CODES.internal, json);
  return EXIT_CODES.internal;
}

function scaleRequest({ operand }: ClientArguments): Request | string {
  const [, sign, digits] = /^([+-]?)(\d+)$/.exec(operand ?? "") ?? [];
  if (digits === undefined || Number(digits) > MOST_WORKERS)
    return `scale: expected a number of workers up to ${MOST_WORKERS}, such as 4, +1 or -1; got "${operand}"`;
  if (sign === "" && Number(digits) === 0) return "scale: at least one worker stays; rollcall stop ends the service";
  return { command: "scale", workers: Number(digits) * (sign === "-" ? -1 : 1), change: sign !== "" };
}

function restartRequest({ operand }: ClientArguments): Request | string {
  if (operand === "agent") return { command: "restart", role: "agent", slot: 0 };
  if (/^\d{1,4}$/.test(operand ?? "")) return { command: "restart", role: "worker", slot: Number(operand) };
  return `restart: expected agent or the number of a worker's slot; got "${operand}"`;
}
