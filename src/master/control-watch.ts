// One order as its client follows it: which lines come of each settled state and of the log, and when it is over. Runs in the master; holds no socket.
import type { Answer, Command } from "../messenger/control.ts";
import type { LogLevel } from "../policy/effects.ts";
import { stepsBetween } from "../policy/progress.ts";
import { concerns, judge, type Pursuit } from "../policy/pursuit.ts";
import type { Settings, State } from "../policy/state.ts";

/** A client hears what the log says from this level on. */
const TOLD: readonly LogLevel[] = ["warn", "error", "fatal"];
/** What may be why an order failed. */
const FAILURES: readonly LogLevel[] = ["error", "fatal"];

export class Watch {
  readonly #command: Command;
  readonly #pursuit: Pursuit;
  #last: State;
  #movedAt: number;
  /** What the first failure among the lives of this order was. */
  #reason: string | null = null;
  #isOver = false;

  /** @param before the state that the order came to */
  constructor(command: Command, pursuit: Pursuit, before: State, now: number) {
    this.#command = command;
    this.#pursuit = pursuit;
    this.#last = before;
    this.#movedAt = now;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A line of the log. */
  heard(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): readonly Answer[] {
    // A reload that waits for its first worker to stay says so, or whoever asked for it wonders.
    if (!TOLD.includes(level) && !(this.#pursuit.kind === "reload" && fields.settleMs !== undefined)) return [];
    const isOfChild = typeof fields.role === "string" && typeof fields.generation === "number";
    if (FAILURES.includes(level) && isOfChild && concerns(this.#pursuit, fields.generation as number)) this.#reason ??= message;
    return [{ event: "log", level, message }];
  }

  settled(state: State, now: number): readonly Answer[] {
    const steps = stepsBetween(this.#last, state);
    const verdict = judge(this.#pursuit, this.#last, state);
    if (steps.length > 0) this.#movedAt = now;
    this.#last = state;
    const answers: Answer[] = steps.map((step) => ({ event: "step", ...step }));
    if (verdict.type !== "pending") return [...answers, this.#over(verdict.type === "done" ? null : verdict.why)];
    const patienceMs = longestStepMs(state.settings);
    if (this.#pursuit.kind === "stop" || now - this.#movedAt < patienceMs) return answers;
    return [...answers, this.#over(`nothing has happened for ${Math.round(patienceMs / 1_000)} s`)];
  }

  /** The master ends now. */
  ended(exitCode: number): Answer {
    if (this.#pursuit.kind !== "stop") return this.#over("the service has stopped");
    this.#isOver = true;
    return { event: "ended", exitCode };
  }

  #over(why: string | null): Answer {
    this.#isOver = true;
    if (why === null) return { event: "done", command: this.#command };
    const reason = this.#reason === null || why.includes(this.#reason) ? "" : `: ${this.#reason}`;
    return { event: "failed", command: this.#command, why: why + reason };
  }
}

/** Whatever a child does next it does within this time, or is made to: start, drain, prove that it stays, or rest between two lives. */
function longestStepMs({ bootTimeoutMs, stopTimeoutMs, settleMs, backoff }: Settings): number {
  return bootTimeoutMs + stopTimeoutMs + settleMs + backoff.limitMs;
}
