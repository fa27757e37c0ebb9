// Who is examined: Rollcall as PID 1, below other inits and as a subreaper; and those inits themselves, with a plain Node program.
import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { asPid1 } from "../../helpers/namespaces.ts";
import { childrenOf } from "../../helpers/processes.ts";
import { startProgram } from "../../helpers/program.ts";
import { FIXTURES, ROLLCALL, type Service, type ServiceOptions, startService } from "../../helpers/service.ts";
import { until } from "../../helpers/until.ts";

export interface Subject {
  readonly name: string;
  readonly isRollcall: boolean;
  /** Of another init, that is PID 1; empty: Rollcall itself is. */
  readonly init: readonly string[];
  /** Not PID 1, and no namespace of its own. */
  readonly isSubreaper: boolean;
}

/** What the cases may ask for beside the program itself. */
export type Options = Pick<ServiceOptions, "env" | "flags" | "appArgs" | "cwd" | "stdin"> & { readonly before?: readonly string[] };

export interface Running {
  readonly subject: Subject;
  /** The init: gets the signals, and the orphans. */
  readonly init: number;
  readonly url: (path: string) => string;
  readonly output: () => string;
  readonly hasEnded: () => boolean;
  readonly exited: () => Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly stdin: NodeJS.WritableStream | null;
  /** Types Ctrl-C, in a terminal. */
  readonly interrupt: () => void;
  /** Null for an init that is not Rollcall. */
  readonly service: Service | null;
}

const INITS = { tini: ["tini", "--"], "dumb-init": ["dumb-init"], "dumb-init -c": ["dumb-init", "-c"], catatonit: ["catatonit", "--"] };
const own = { isRollcall: true, isSubreaper: false };

export const SUBJECTS: readonly Subject[] = [
  { ...own, name: "Rollcall", init: [] },
  ...Object.entries(INITS).map(([name, init]) => ({ ...own, name: `Rollcall under ${name}`, init })),
  { ...own, name: "Rollcall --subreaper", init: [], isSubreaper: true },
  ...Object.entries(INITS).map(([name, init]) => ({ name, isRollcall: false, init, isSubreaper: false })),
];

/** False, or why this machine cannot examine it. */
export function missing({ init: [command], isSubreaper }: Subject): false | string {
  if (asPid1 === undefined && !isSubreaper) return "needs root or user namespaces";
  return command !== undefined && spawnSync(command, ["--version"]).error !== undefined && `${command} is not installed`;
}

/** Starts it with the program, in a session of its own, and waits until that serves. */
export async function start(t: TestContext, subject: Subject, { before = [], ...options }: Options = {}): Promise<Running> {
  const namespace = subject.isSubreaper ? [] : (asPid1 ?? []);
  const wrapper = [...before, ...namespace, ...subject.init];
  const flags = [
    ...(subject.isSubreaper ? ["--subreaper"] : []),
    "--stop-timeout",
    "5s",
    "--drain-idle",
    "100ms",
    "--roll-call-period",
    "1h",
    ...(options.flags ?? []),
  ];
  const service = subject.isRollcall
    ? await startService(t, { app: "conformance.mjs", workers: 2, detached: true, ...options, flags, wrapper })
    : await startProgram(t, [...wrapper, process.execPath, `${FIXTURES}conformance.mjs`, ...(options.appArgs ?? [])], options);
  const hasEnded = (): boolean => service.process.exitCode !== null || service.process.signalCode !== null;
  if (subject.isRollcall) await (service as Service).untilReady();
  else await until(`the program serves: ${service.output()}`, () => service.output().includes("program: listening"));
  const nesting = namespace.length > 0 ? (before.length > 0 ? 2 : 1) : before.length > 0 ? 1 : 0;
  return {
    subject,
    init: await until("the init is there", () => below(service.pid, nesting)),
    url: service.url,
    output: service.output,
    hasEnded,
    exited: () => service.exited(),
    stdin: service.process.stdin,
    interrupt: () => void process.kill(service.pid, "SIGTERM"),
    service: subject.isRollcall ? (service as Service) : null,
  };
}

/** Runs it with other arguments, to its end. */
export async function runWith(t: TestContext, subject: Subject, args: readonly string[]): Promise<number | null> {
  const init = subject.isRollcall ? subject.init : subject.init.filter((each) => each !== "--");
  const command = [...(asPid1 ?? []), ...init, ...(subject.isRollcall ? [process.execPath, ROLLCALL] : []), ...args];
  return (await (await startProgram(t, command)).exited()).code;
}

function below(pid: number, levels: number): number | undefined {
  let found: number | undefined = pid;
  for (let level = 0; level < levels && found !== undefined; level++) found = childrenOf(found)[0];
  return found;
}
