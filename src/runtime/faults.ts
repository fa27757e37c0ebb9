// Uncaught exceptions: before ready they end the boot; after it a worker drains and exits 1, and an agent lives on or exits, as it was told.
// Where the app has a listener of its own, the app decides. Runs in a child.
import { inspect } from "node:util";
import type { Assignment } from "../messenger/wire.ts";
import type { Fault } from "../policy/state.ts";
import type { Channel } from "./channel.ts";
import type { Drain } from "./drain.ts";
import type { Readiness } from "./readiness.ts";

interface Parts {
  readonly assignment: Assignment;
  readonly channel: Channel;
  readonly drain: Drain;
  readonly readiness: Readiness;
}

export function catchFaults({ assignment, channel, drain, readiness }: Parts): void {
  const isOurs = (): boolean => process.listeners("uncaughtException").every((listener) => listener === onFault);
  const survives = (): boolean => assignment.role === "agent" && assignment.survivesUncaught && readiness.announced && !drain.begun;
  const exits = (): boolean => !survives() && (assignment.role === "agent" || !readiness.announced);
  const onFault = (error: unknown): void => {
    if (!isOurs()) return;
    process.stderr.write(`Uncaught ${inspect(error)}\n`);
    const survived = survives();
    channel.send({ type: "fault", fault: describe(error), survived });
    if (!survived) drain.begin({ budgetMs: assignment.stopTimeoutMs, idleMs: assignment.drainIdleMs, exitCode: 1 });
  };
  process.on("uncaughtException", onFault);
  // Where it ends the process, the end is left to Node, which prints the place of a syntax error, as no listener could, and exits with 1.
  process.on("uncaughtExceptionMonitor", (error) => {
    if (!isOurs() || !exits()) return;
    channel.send({ type: "fault", fault: describe(error), survived: false });
    process.off("uncaughtException", onFault);
  });
}

function describe(error: unknown): Fault {
  if (!(error instanceof Error)) return { name: "Error", message: inspect(error), stack: "", code: null, port: null };
  const { code, port } = error as { code?: unknown; port?: unknown };
  return {
    name: error.name,
    message: error.message,
    stack: error.stack ?? "",
    code: typeof code === "string" ? code : null,
    port: typeof port === "number" ? port : null,
  };
}
