// The program that forked this service: hears when it is ready, who died and how it ended, gives orders, and posts letters. Runs in the master.
// Its one rule: the service owes the parent nothing; one that sends junk, does not read or dies costs messages of its own.
import type { Line } from "../log.ts";
import { type Answer, parseRequest } from "../messenger/control.ts";
import type { Letter } from "../messenger/letter.ts";
import { type Ask, type DeathFacts, type EndingError, openAsk, type ReadyFacts, sealForParent } from "../messenger/parent.ts";
import { isSealed } from "../messenger/wire.ts";
import type { Tally } from "../policy/effects.ts";
import type { State } from "../policy/state.ts";
import type { Remark } from "../process/hearing.ts";
import { openParentChannel, type ParentChannel } from "../system/parent-channel.ts";
import type { Watch } from "./control-watch.ts";
import { describeAddress } from "./first-screen.ts";
import { judgeRequest, type OrderSource } from "./orders.ts";

export interface ParentSource extends OrderSource {
  /** Whether the parent reads what is sealed: it started the service by this package's own `start()`. */
  readonly isOwn: boolean;
  write(line: Line): void;
  /** Whatever else comes: letters for the service, and what only looks like one. */
  onLetter(raw: unknown): void;
  /** One read has brought so much work, in bytes of a turn. */
  onRead(weight: number): void;
}

/** Orders that may be on their way at once. */
const MOST_ORDERS = 64;

export class Parent {
  readonly #source: ParentSource;
  readonly #orders: Map<number, Watch> = new Map();
  #channel: ParentChannel | null = null;
  #error: EndingError | null = null;
  #isReady = false;
  #isErrorFinal = false;
  #hasComplained = false;

  constructor(source: ParentSource) {
    this.#source = source;
  }

  /** Begins to read what the parent sends. */
  open(): void {
    this.#channel = openParentChannel({
      onMessage: (raw) => this.#onMessage(raw),
      onJunk: (problem) => this.#complain(problem),
      onRead: (weight) => this.#source.onRead(weight),
      onLost: () => this.#onLost(),
    });
  }

  /** @returns why the letter is dropped: there is no parent, or it does not read */
  deliver(letter: Letter): "absent" | "full" | null {
    if (this.#post(letter)) return null;
    return this.#channel?.connected === true ? "full" : "absent";
  }

  /** For whoever takes letters and has too many: the parent's next ones wait in its own process. */
  pause(): void {
    this.#channel?.pause();
  }

  resume(): void {
    this.#channel?.resume();
  }

  /** Says nothing of a service that is stopping already. */
  announceReady(facts: ReadyFacts): void {
    if (this.#source.state().stop !== null) return;
    this.#isReady = true;
    this.#error = null;
    this.#announce("egg-ready", facts);
  }

  /** A child has ended: said where nobody asked it to, once the service has been ready. */
  tally(entry: Tally, { phase, stop }: State): void {
    if (entry.metric !== "exits" || entry.outcome === "clean" || phase !== "running" || stop !== null) return;
    this.#announce(entry.role === "agent" ? "agent-worker-died" : "app-worker-died", { outcome: entry.outcome } satisfies DeathFacts);
  }

  settled(state: State): void {
    for (const [id, watch] of this.#orders) this.#follow(id, watch, state);
  }

  /**
   * A line of the log that may say what the service ends of: the first error of a start, and later the last one before a stop began, or the first one
   * in the stop.
   */
  noteError({ level, message, fields }: Line): void {
    if ((level !== "error" && level !== "fatal") || this.#isErrorFinal) return;
    this.#isErrorFinal = this.#source.state().stop !== null;
    if (this.#isReady || this.#error === null) this.#error = errorOf(message, fields);
  }

  /** A line of the log, for orders that are on their way. */
  heard({ level, message, fields }: Line): void {
    for (const [id, watch] of this.#orders) this.#answer(id, ...watch.heard(level, message, fields));
  }

  /** The last word. */
  end(exitCode: number): void {
    for (const [id, watch] of this.#orders)
      this.#answer(id, ...watch.settled(this.#source.state(), this.#source.now()), watch.ended(exitCode));
    this.#orders.clear();
    const error = exitCode === 0 ? null : this.#error;
    if (this.#source.isOwn) this.#post(sealForParent({ type: "ended", exitCode, error }));
  }

  #post(message: object): boolean {
    return this.#channel?.send(message) === true;
  }

  #announce(action: string, data: object): void {
    this.#post({ action, data, from: "master", to: "parent" });
  }

  #onMessage(raw: unknown): void {
    if (!isSealed(raw)) return this.#source.onLetter(raw);
    const ask = openAsk(raw);
    if (ask === null) return this.#complain("an order of no known form");
    this.#onAsk(ask);
  }

  #onAsk({ id, line }: Ask): void {
    const parsed = parseRequest(line);
    if (!parsed.ok) return this.#answer(id, { event: "error", message: parsed.problem });
    const isFull = this.#orders.size >= MOST_ORDERS;
    if (isFull && parsed.request.command !== "stop")
      return this.#answer(id, { event: "error", message: `${MOST_ORDERS} orders are on their way already` });
    const judged = judgeRequest(parsed.request, this.#source);
    if (judged.type === "answered") return this.#answer(id, judged.last);
    this.#answer(id, judged.first);
    this.#source.order(judged.order);
    // How a stop goes is told by the end.
    if (isFull) return;
    this.#orders.set(id, judged.watch);
    this.#follow(id, judged.watch, this.#source.state());
  }

  #follow(id: number, watch: Watch, state: State): void {
    this.#answer(id, ...watch.settled(state, this.#source.now()));
    if (watch.isOver) this.#orders.delete(id);
  }

  #answer(id: number, ...answers: readonly Answer[]): void {
    for (const answer of answers) this.#post(sealForParent({ type: "answer", id, answer }));
  }

  #onLost(): void {
    this.#orders.clear();
    this.#source.write({ level: "info", fields: {}, message: "the parent has closed its channel; the service goes on" });
  }

  #complain(problem: string): void {
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    this.#source.write({ level: "warn", fields: {}, message: `the parent has sent ${problem}; it is passed over (said once)` });
  }
}

function errorOf(message: string, { error, code }: Readonly<Record<string, unknown>>): EndingError {
  return { name: typeof error === "string" ? error : "ClusterError", code: typeof code === "string" ? code : null, message };
}

/** Where the service is, from what a worker has said of the first port that it was expected on. */
export function describeForParent(said: Extract<Remark, { type: "listening" }>, debugPort: number | null): ReadyFacts {
  const { address, port } = said;
  // What egg-cluster's parents know. HTTP may well be spoken behind a server of bare TCP that passes its sockets on.
  const protocol = said.scheme === "https" || said.scheme === "tls" ? "https" : "http";
  return { port, debugPort, address: describeAddress(address, port, protocol, "127.0.0.1"), protocol };
}
