// The public API for the app: `import { … } from "rollcall/app"`. Runs in the agent, in workers, and under plain `node`, where it is worker 0.
import { LONGEST_NAME, LONGEST_REASON, MOST_AILMENTS } from "../policy/ailments.ts";
import type { Role } from "../policy/life.ts";
import type { ShutdownHook } from "./life/hooks.ts";
import { findLink, putLink } from "./link.ts";
import type { LetterInfo, LetterListener, Messenger, QuestionHandler } from "./messages/messenger.ts";
import type { AskTarget } from "./messages/targets.ts";
import { standaloneLink } from "./standalone.ts";

export type { AskTarget, LetterInfo, LetterListener, Messenger, QuestionHandler, Role, ShutdownHook };

const link = findLink() ?? putLink(standaloneLink());

/** What this process is: "agent" or "worker". Under plain `node`: "worker". */
export const role: Role = link.role;

/** A worker's stable place, from 0 to the number of workers less one, kept across restarts. The agent's is 0. Under plain `node`: 0. */
export const slot: number = link.slot;

/** Which rollout this process belongs to; starts at 1 and grows with every reload. Under plain `node`: 1. */
export const generation: number = link.generation;

/** Says that this process is ready, where the service runs with `ready-when: message`. Harmless elsewhere and when said twice. */
export function ready(): void {
  link.ready();
}

/**
 * Registers a hook that runs once when the process is to end: after its last request, before its deadline. Hooks run at the same time; they
 * have at least 20 % of the stop budget (`stop-timeout`). A hook that throws is printed and stops nothing.
 * @returns a function that takes the hook back
 * @throws TypeError when the hook is not a function
 */
export function onShutdown(hook: ShutdownHook): () => void {
  if (typeof hook !== "function") throw new TypeError(`onShutdown(hook): expected a function, got ${hook === null ? "null" : typeof hook}`);
  return link.onShutdown(hook);
}

/** What is not well, by name, with the reason. */
const said = new Map<string, string>();
let hasSaidFull = false;

/** Whether what this process depends on is well: a database, a queue, a disk. */
export const health: {
  /**
   * `health.set("db", false, "connection refused")` takes this process out of readiness, until `health.set("db", true)`: with too few workers that are
   * well, or an agent that is not, /ready answers 500. Shown in `/status`. Liveness and the roll call take no notice. Under plain `node` nobody hears it.
   * Of a name 200 characters are kept, of a reason 1,000, and 32 names that are not well at a time: of more one warning is printed.
   * @throws TypeError for a name that is no text, or an `ok` that is neither true nor false
   */
  set(name: string, ok: boolean, reason?: string): void;
} = {
  set(name, ok, reason = "") {
    if (typeof name !== "string" || name === "" || typeof ok !== "boolean")
      throw new TypeError(
        `health.set(name, ok, reason): expected a name and true or false, got ${JSON.stringify(name)} and ${JSON.stringify(ok)}`,
      );
    // Cut here already: the channel takes no message of any length.
    const key = name.slice(0, LONGEST_NAME);
    const news = ok ? null : String(reason).slice(0, LONGEST_REASON);
    // A check that runs every second says mostly the same.
    if ((said.get(key) ?? null) === news) return;
    if (news === null) said.delete(key);
    else if (said.has(key) || said.size < MOST_AILMENTS) said.set(key, news);
    else return sayFull(key);
    link.setHealth(key, news);
  },
};

function sayFull(name: string): void {
  if (hasSaidFull) return;
  hasSaidFull = true;
  console.error(
    `Rollcall: health.set(): ${MOST_AILMENTS} names are not well already; passed over: ${JSON.stringify(name)} and whatever follows`,
  );
}

/** Sends to, and hears from, the agent, the workers, the master and its parent. Under plain `node` this process is the only worker, and hears itself. */
export const messenger: Messenger = link.takeMessenger();

/** Aborts when the process begins to drain: end streams, long polls and loops by it. */
export const shutdownSignal: AbortSignal = link.signal;
