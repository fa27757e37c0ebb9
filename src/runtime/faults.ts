// Uncaught exceptions: before ready they end the boot; after it a worker drains and exits 1, and an agent lives on or exits, as it was told.
// Where the app has a listener of its own, the app decides. Runs in a child.
import { inspect } from "node:util";
import type { Assignment } from "../messenger/wire.ts";
import type { Fault } from "../policy/state.ts";
import type { Channel } from "./channel.ts";
import type { Drain } from "./drain.ts";
import type { Readiness } from "./readiness.ts";

/** How long the report of a failed boot may take before the child exits anyhow. */
const REPORT_MS = 500;

interface Parts {
  readonly assignment: Assignment;
  readonly channel: Channel;
  readonly drain: Drain;
  readonly readiness: Readiness;
}

export function catchFaults({ assignment, channel, drain, readiness }: Parts): void {
  const onFault = (error: unknown): void => {
    if (process.listenerCount("uncaughtException") > 1) return;
    process.stderr.write(`Uncaught ${inspect(error)}\n`);
    const survived = assignment.role === "agent" && assignment.survivesUncaught && readiness.announced && !drain.begun;
    const exits = !survived && (assignment.role === "agent" || !readiness.announced);
    const exit = (): never => process.exit(1);
    channel.send({ type: "fault", fault: describe(error), survived }, exits ? exit : undefined);
    if (exits) setTimeout(exit, REPORT_MS);
    else if (!survived) drain.begin({ budgetMs: assignment.stopTimeoutMs, idleMs: assignment.drainIdleMs, exitCode: 1 });
  };
  process.on("uncaughtException", onFault);
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
