// Uncaught exceptions: before ready they end the boot; after it a worker drains and exits 1, and an agent lives on or exits, as it was told.
// Where the app has a listener of its own, the app decides. Runs in a child.
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import type { Assignment } from "../../messenger/wire.ts";
import type { Fault } from "../../policy/life.ts";
import type { Channel } from "../border/channel.ts";
import { intercept } from "../border/intercept.ts";
import { failThrower } from "../traffic/thrower.ts";
import type { Traffic } from "../traffic/traffic.ts";
import type { Drain } from "./drain.ts";
import type { Readiness } from "./readiness.ts";

/** What follows the first fault of a process that ends is told this often: whatever fails in a drain may fail in a loop. */
const MOST_TOLD = 10;
const STDERR = 2;

interface Parts {
  readonly assignment: Assignment;
  readonly channel: Channel;
  readonly drain: Drain;
  readonly readiness: Readiness;
  readonly traffic: Traffic;
}

/** @returns ends the process for an error that somebody else has caught, as if nobody had */
export function catchFaults({ assignment, channel, drain, readiness, traffic }: Parts): (error: unknown) => void {
  // Nothing of Rollcall's is among the listeners: a library that decides by whether it is the only one, such as Sentry's, decides as under plain node.
  const isOurs = (): boolean => process.listenerCount("uncaughtException") === 0 && !process.hasUncaughtExceptionCaptureCallback();
  const survives = (): boolean => assignment.role === "agent" && assignment.survivesUncaught && readiness.announced && !drain.begun;
  const exits = (): boolean => !survives() && (assignment.role === "agent" || !readiness.announced);
  let told = 0;
  const take = (error: unknown, survived: boolean): void => {
    if (survived || ++told <= MOST_TOLD) {
      print(error, assignment.thread);
      channel.sendNow({ type: "fault", fault: describe(error), survived });
    }
    if (assignment.role === "worker") failThrower(traffic);
    if (!survived) drain.begin({ budgetMs: assignment.stopTimeoutMs, idleMs: assignment.drainIdleMs, isLast: false, exitCode: 1 });
  };
  intercept((event, [error]) => {
    if (event === "uncaughtExceptionMonitor" && isOurs() && exits()) {
      channel.sendNow({ type: "fault", fault: describe(error), survived: false });
      // Of a thread's error Node prints nothing: it is for whoever started the thread.
      if (assignment.thread) print(error, true);
    }
    // Where it ends the process, the end is left to Node, which prints the place of a syntax error, as nobody else could, and exits with 1.
    if (event !== "uncaughtException" || !isOurs() || exits()) return false;
    take(error, survives());
    return true;
  });
  return (error) => {
    const isEnd = exits();
    take(error, false);
    if (isEnd) process.exit(1);
  };
}

/** Not by the stream of a process's stderr: where that cannot be written to, its error would be the next uncaught one, and so on for ever. */
function print(error: unknown, thread: boolean): void {
  const text = `Uncaught ${show(error)}\n`;
  if (thread) return void process.stderr.write(text);
  try {
    writeSync(STDERR, text);
  } catch {
    // The master has been told as well.
  }
}

/** Anything can be thrown, also what throws when it is looked at. */
function describe(error: unknown): Fault {
  try {
    if (!(error instanceof Error)) return { name: "Error", message: show(error), stack: "", code: null, port: null };
    const { name, message, stack, code, port } = error as Error & { code?: unknown; port?: unknown };
    return {
      name: String(name),
      message: String(message),
      stack: typeof stack === "string" ? stack : "",
      code: typeof code === "string" ? code : null,
      port: typeof port === "number" ? port : null,
    };
  } catch {
    return { name: "Error", message: show(error), stack: "", code: null, port: null };
  }
}

function show(value: unknown): string {
  try {
    return inspect(value);
  } catch {
    return "a value that cannot be shown";
  }
}
