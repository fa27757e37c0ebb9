// A service as the program sees that has started it: ready, orders, letters and the end, over the channel to its master.
// Runs in a program that embeds Rollcall.
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import { EXIT_CODES } from "../errors.ts";
import { type Answer, encode, type Request } from "../messenger/control.ts";
import { type DeathFacts, type EndingError, openFromService, type ReadyFacts, sealForParent } from "../messenger/parent.ts";

/** A letter of the messenger, as the parent gets it. */
export interface Letter {
  readonly action: string;
  readonly data?: unknown;
  /** Who sent it; the master stamps it. */
  readonly from?: string;
  readonly to?: string;
}

/** How a service has ended. */
export interface ServiceExit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The master's own error, if it ended of one. */
  readonly error: ServiceError | null;
}

/** The event "exit" tells the end, "ready" the start; "message" is every letter for the parent. */
export interface ServiceEvents {
  ready: [facts: ReadyFacts];
  exit: [exit: ServiceExit];
  message: [letter: Letter];
  "agent-worker-died": [facts: DeathFacts];
  "app-worker-died": [facts: DeathFacts];
}

/** Why a service did not start, ended, or did not do what was asked. */
export class ServiceError extends Error {
  /** The master's own code, such as ERR_CONFIG or ERR_PORT_CONFLICT; ERR_ORDER for an order that failed. */
  readonly code: string;
  /** The master's exit code, once it has ended; the docs list them. */
  readonly exitCode: number | null;

  constructor(message: string, { name, code, exitCode }: { name?: string; code: string; exitCode: number | null }) {
    super(message);
    this.name = name ?? "ServiceError";
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** How long the end of a dead master's channel is waited for. */
const LAST_WORDS_MS = 1_000;

interface Pending {
  onAnswer(answer: Answer): void;
  onEnd(error: ServiceError): void;
}

export class Service extends EventEmitter<ServiceEvents> {
  /** Resolves when the agent and all workers are ready; rejects with the master's own error when the service ends before. */
  readonly ready: Promise<ReadyFacts>;
  /** Resolves when the service has ended, however it did. */
  readonly exited: Promise<ServiceExit>;
  readonly #child: ChildProcess;
  readonly #pending: Map<number, Pending> = new Map();
  #nextId = 1;
  #error: EndingError | null = null;
  #exit: ServiceExit | null = null;

  constructor(child: ChildProcess) {
    super();
    this.#child = child;
    this.exited = new Promise((resolve) => this.once("exit", resolve));
    this.ready = new Promise((resolve, reject) => {
      this.once("ready", resolve);
      this.once("exit", (exit) => reject(exit.error ?? endedEarly(exit)));
    });
    // Whoever does not ask hears of the end by "exit".
    this.ready.catch(() => {});
    child.on("message", (raw) => this.#onMessage(raw));
    child.once("error", (error) => this.#onSpawnError(error));
    // The exit may overtake what was said last: "close" waits for the channel, but also for whoever else holds stdout.
    child.once("exit", (code, signal) => {
      const end = (): void => this.#onExit(code, signal);
      if (child.channel == null || !child.connected) return end();
      child.once("disconnect", () => setImmediate(end));
      // Whoever else has the channel by some accident keeps it open.
      setTimeout(end, LAST_WORDS_MS).unref();
    });
  }

  /** Of the master; undefined when no process could be made. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** With `stdio: "pipe"`. */
  get stdout(): Readable | null {
    return this.#child.stdout;
  }

  get stderr(): Readable | null {
    return this.#child.stderr;
  }

  /** Rolling reload; resolves when every slot runs the new generation, rejects (ERR_ORDER) when that fails: the old workers serve on. */
  async reload({ agent = false }: { readonly agent?: boolean } = {}): Promise<void> {
    await this.#order({ command: "reload", agent });
  }

  /** Changes the number of workers: `4`, or `"+1"` and `"-1"` from what is asked for now. */
  async scale(workers: number | `+${number}` | `-${number}`): Promise<void> {
    await this.#order({ command: "scale", workers: Number(workers), change: typeof workers === "string" });
  }

  /** Replaces the agent, or the worker of a slot. */
  async restart(child: "agent" | number): Promise<void> {
    await this.#order(
      child === "agent" ? { command: "restart", role: "agent", slot: 0 } : { command: "restart", role: "worker", slot: child },
    );
  }

  /** Fails readiness on purpose, or takes that back. */
  async drain(on = true): Promise<void> {
    await this.#order({ command: on ? "drain" : "undrain" });
  }

  /** The same object as /status on the metrics port. */
  async status(): Promise<object> {
    const last = await this.#order({ command: "status" });
    return last.event === "status" ? last.status : {};
  }

  /** Stops the service, gracefully or, with `fast`, as by a second signal. Resolves when it has ended, whatever its exit code is. */
  async stop({ fast = false }: { readonly fast?: boolean } = {}): Promise<ServiceExit> {
    if (this.#exit !== null) return this.#exit;
    if (this.#child.connected) this.#order({ command: "stop", fast }).catch(ignore);
    else this.#child.kill("SIGTERM");
    return this.exited;
  }

  /**
   * Posts a letter into the service: to the agent, to every worker ("app"), or to the master. Data may hold whatever structured clone takes.
   * @returns false when the service has gone, or, as a stream's write(), when more waits already than should
   * @throws what V8 says to data that cannot be sent, such as a function
   */
  send(action: string, data?: unknown, to: "agent" | "app" | "master" = "master"): boolean {
    if (!this.#child.connected) return false;
    return this.#child.send({ action, ...(data === undefined ? {} : { data }), to }, ignore);
  }

  /** Lets this process end while the service runs on. */
  unref(): void {
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** Leaves the service to itself: no orders, no letters and no events from here on. */
  disconnect(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#endPending();
    this.unref();
  }

  #order(request: Request): Promise<Answer> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#exit !== null || !this.#child.connected) return reject(gone());
      const onAnswer = (answer: Answer): void => {
        const { event } = answer;
        if (event === "accepted" || event === "step" || event === "log") return;
        this.#pending.delete(id);
        if (event === "failed") reject(new ServiceError(`${request.command} failed: ${answer.why}`, { code: "ERR_ORDER", exitCode: null }));
        else if (event === "error") reject(new ServiceError(answer.message, { code: "ERR_ORDER", exitCode: null }));
        else resolve(answer);
      };
      this.#pending.set(id, { onAnswer, onEnd: reject });
      this.#child.send(sealForParent({ type: "ask", id, line: encode(request) }), ignore);
    });
  }

  #onMessage(raw: unknown): void {
    const said = openFromService(raw);
    if (said?.type === "answer") return this.#pending.get(said.id)?.onAnswer(said.answer);
    if (said?.type === "ended") {
      this.#error = said.error;
      return;
    }
    const letter = raw as Letter | null;
    if (typeof letter?.action !== "string") return;
    if (letter.action === "egg-ready" && letter.from === "master") this.emit("ready", letter.data as ReadyFacts);
    else if ((letter.action === "agent-worker-died" || letter.action === "app-worker-died") && letter.from === "master")
      this.emit(letter.action, letter.data as DeathFacts);
    this.emit("message", letter);
  }

  #onSpawnError(error: Error): void {
    // Not being able to signal or to send comes here as well.
    if (this.#child.pid !== undefined) return;
    this.#error = { name: "ServiceError", code: "ERR_SPAWN", message: `cannot start the master: ${error.message}` };
    this.#onExit(null, null);
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#exit !== null) return;
    const error = this.#error === null ? null : asError(this.#error, code);
    this.#exit = { code, signal, error };
    this.#endPending();
    this.emit("exit", this.#exit);
  }

  #endPending(): void {
    for (const { onEnd } of this.#pending.values()) onEnd(gone());
    this.#pending.clear();
  }
}

function asError({ name, code, message }: EndingError, exitCode: number | null): ServiceError {
  return new ServiceError(message, { name, code: code ?? codeOf(exitCode), exitCode });
}

/** ERR_WORKER_BOOT for exit code 3, and so on. */
function codeOf(exitCode: number | null): string {
  const reason = Object.entries(EXIT_CODES).find(([, code]) => code === exitCode)?.[0] ?? "internal";
  return `ERR_${reason.toUpperCase().replaceAll("-", "_")}`;
}

function endedEarly({ code, signal }: ServiceExit): ServiceError {
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  return new ServiceError(`the service has ended ${how} before it was ready`, { code: "ERR_ENDED", exitCode: code });
}

function gone(): ServiceError {
  return new ServiceError("the service has ended, or its channel is closed", { code: "ERR_ENDED", exitCode: null });
}

function ignore(): void {}
