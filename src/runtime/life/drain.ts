// The drain: stop accepting, last answers, idle allowance, WebSockets, hooks, end. Every wait has a deadline. Runs in a child.
import type { Assignment } from "../../messenger/wire.ts";
import { takeIn } from "../../sockets/take-in.ts";
import type { Channel } from "../border/channel.ts";
import { isHeld, kindOf } from "../traffic/connection.ts";
import { Sweep } from "../traffic/sweep.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { sayGoingAway } from "../traffic/web-socket.ts";
import type { Hooks } from "./hooks.ts";

/** The hooks keep at least this share of the budget: requests that last longer go on beside them. */
const REQUESTS_SHARE = 0.8;
/** How long the last message to the master, and the last bytes to clients, may take. */
const FLUSH_MS = 100;

export interface DrainOrder {
  readonly budgetMs: number;
  readonly idleMs: number;
  /** Nobody accepts after it. */
  readonly isLast: boolean;
  readonly exitCode: number;
}

/** How the app listens, as the drain has to know it. */
interface Listening {
  /** Nothing new is listened on. May come again, with more to say. */
  end(isLast: boolean): void;
  /** Nothing is taken any more. */
  finish(): void;
}

interface Parts {
  readonly assignment: Assignment;
  readonly channel: Channel;
  readonly traffic: Traffic;
  readonly hooks: Hooks;
  readonly listening: Listening;
}

export class Drain {
  readonly #parts: Parts;
  readonly #sweep: Sweep;
  #order: DrainOrder | null = null;
  #endsAt = Number.POSITIVE_INFINITY;
  #deadline: NodeJS.Timeout | undefined;
  #hooksStarted = false;
  #hooksEnded = false;
  #hasReported = false;
  #isCheckDue = false;
  #areWebSocketsDue = false;
  #quiet: (() => void) | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#sweep = new Sweep(parts.traffic, () => this.#check());
    parts.traffic.onSettled(() => this.#checkSoon());
  }

  get begun(): boolean {
    return this.#order !== null;
  }

  /** Begins, or shortens a drain that has begun; a later end changes nothing but the exit code, which tells of a fault or a lost master. */
  begin(order: DrainOrder): void {
    const first = this.#order === null;
    this.#parts.listening.end(order.isLast);
    this.#order = first ? order : { ...order, exitCode: this.#order?.exitCode || order.exitCode };
    const endsAt = performance.now() + order.budgetMs;
    if (endsAt >= this.#endsAt) return;
    this.#endsAt = endsAt;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#cut(), order.budgetMs).unref();
    this.#sweep.allow(order.idleMs);
    setTimeout(() => this.#runHooks(), order.budgetMs * REQUESTS_SHARE).unref();
    if (!first) return;
    process.once("exit", () => this.#report("app"));
    void this.#stopAccepting(order.isLast);
  }

  /** What waits is left to the others; where nobody comes after, it is taken in first. */
  async #stopAccepting(isLast: boolean): Promise<void> {
    const { channel, traffic, hooks } = this.#parts;
    if (isLast) await takeIn(() => traffic.accepted);
    else await new Promise((resolve) => setImmediate(resolve));
    traffic.closeListeners();
    traffic.lastResponses();
    hooks.announce();
    channel.send({ type: "closed" });
    this.#check();
  }

  /** However many end in one turn: thousands of WebSockets do. */
  #checkSoon(): void {
    if (this.#order === null || this.#isCheckDue) return;
    this.#isCheckDue = true;
    setImmediate(() => {
      this.#isCheckDue = false;
      this.#check();
    });
  }

  /**
   * WebSockets stay until the requests beside them are done, clients had their allowance and idle connections are closed: whoever comes anew when its
   * WebSocket has ended must not do so on one that still leads here. The hooks wait for all.
   */
  #check(): void {
    const { traffic } = this.#parts;
    if (this.#order === null) return;
    if (this.#hooksStarted || (traffic.inFlight === 0 && this.#sweep.isDone)) this.#closeWebSockets();
    if (this.#hooksStarted) this.#isQuiet() && this.#quiet?.();
    else if (traffic.inFlight === 0 && traffic.connections.size === 0)
      // The app hears of the end of its last connection first.
      setImmediate(() => traffic.inFlight === 0 && traffic.connections.size === 0 && this.#runHooks());
  }

  #closeWebSockets(): void {
    if (this.#areWebSocketsDue) return;
    this.#areWebSocketsDue = true;
    setImmediate(() => {
      this.#areWebSocketsDue = false;
      for (const connection of this.#parts.traffic.connections) if (kindOf(connection) === "web-socket") sayGoingAway(connection);
    });
  }

  /** Nobody would be cut off by the end. */
  #isQuiet(): boolean {
    return ![...this.#parts.traffic.connections].some(isHeld) && this.#parts.traffic.inFlight === 0;
  }

  #runHooks(): void {
    if (this.#hooksStarted) return;
    this.#hooksStarted = true;
    this.#parts.listening.finish();
    this.#closeWebSockets();
    void this.#runAndEnd();
  }

  async #runAndEnd(): Promise<void> {
    const { channel, hooks } = this.#parts;
    const outcome = await hooks.run();
    this.#hooksEnded = outcome === "ended";
    // What outlasts its share of the budget goes on beside the hooks, to the deadline.
    if (!this.#isQuiet()) await new Promise<void>((resolve) => (this.#quiet = resolve));
    await channel.handlesTaken();
    if (outcome === "ended") this.#end();
    // From here on the process ends when the app says so or has nothing left to do; the deadline stands behind it.
    process.once("beforeExit", () => this.#end());
    channel.letGo();
  }

  /** The deadline: says what is cut, and ends. A protocol that is not HTTP gets an orderly end of the connection. */
  #cut(): void {
    const { traffic } = this.#parts;
    this.#report("deadline", () => this.#end());
    for (const { inFlight, top } of traffic.connections) {
      if (inFlight > 0) top.destroy();
      else top.end();
    }
    setTimeout(() => this.#end(), FLUSH_MS).unref();
  }

  /** What the end cuts off is said once. An app that ends the process itself, by a TERM listener beside requests, is told of as well. */
  #report(by: "deadline" | "app", done?: () => void): void {
    const { channel, traffic } = this.#parts;
    const requests = traffic.inFlight;
    const connections = [...traffic.connections].filter(isHeld).length;
    if (this.#hasReported || (by === "app" && requests + connections === 0)) return;
    this.#hasReported = true;
    const hooks = by === "deadline" && this.#hooksStarted && !this.#hooksEnded;
    const message = { type: "cut", by, requests, connections, hooks } as const;
    if (done === undefined) channel.sendNow(message);
    else channel.send(message, done);
  }

  #end(): void {
    process.exit(this.#order?.exitCode ?? 0);
  }
}
