// The drain: stop accepting, last answers, idle allowance, hooks, end. Every wait has a deadline. Runs in a child.
import type { Socket } from "node:net";
import type { Assignment } from "../messenger/wire.ts";
import type { Channel } from "./channel.ts";
import type { Hooks } from "./hooks.ts";
import type { Traffic } from "./traffic.ts";

/** The hooks keep at least this share of the budget: requests that last longer are cut off then. */
const REQUESTS_SHARE = 0.8;
/** After the idle allowance a connection that sends nothing for this long is destroyed. */
const SILENCE_MS = 100;
/** How long the last message to the master may take. */
const FLUSH_MS = 100;

export interface DrainOrder {
  readonly budgetMs: number;
  readonly idleMs: number;
  readonly exitCode: number;
}

interface Parts {
  readonly assignment: Assignment;
  readonly channel: Channel;
  readonly traffic: Traffic;
  readonly hooks: Hooks;
}

export class Drain {
  readonly #parts: Parts;
  #order: DrainOrder | null = null;
  #endsAt = Number.POSITIVE_INFINITY;
  #deadline: NodeJS.Timeout | undefined;
  #hooksStarted = false;
  #hooksEnded = false;
  #quiet: (() => void) | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.traffic.onSettled(() => this.#check());
  }

  get begun(): boolean {
    return this.#order !== null;
  }

  /** Begins, or shortens a drain that has begun; a later end changes nothing but the exit code, which tells of a fault or a lost master. */
  begin(order: DrainOrder): void {
    const first = this.#order === null;
    this.#order = first ? order : { ...order, exitCode: this.#order?.exitCode || order.exitCode };
    const endsAt = performance.now() + order.budgetMs;
    if (endsAt >= this.#endsAt) return;
    this.#endsAt = endsAt;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#cut(), order.budgetMs).unref();
    this.#allowRequests(order);
    if (!first) return;
    void this.#stopAccepting();
  }

  /** One turn of the event loop first, so that what waits in the accept queue already is taken in. */
  async #stopAccepting(): Promise<void> {
    const { channel, traffic, hooks } = this.#parts;
    await new Promise((resolve) => setImmediate(resolve));
    traffic.closeListeners();
    traffic.lastResponses();
    hooks.announce();
    channel.send({ type: "closed" });
    this.#check();
  }

  /** Requests may take their share of the budget, idle connections their allowance. */
  #allowRequests(order: DrainOrder): void {
    setTimeout(() => this.#runHooks(), order.budgetMs * REQUESTS_SHARE).unref();
    setTimeout(() => this.#sweep(new Map()), order.idleMs).unref();
  }

  /** Destroys what is idle and silent; who is just sending is looked at again. */
  #sweep(seen: Map<Socket, number>): void {
    const { traffic } = this.#parts;
    for (const socket of traffic.sockets) {
      if (traffic.isBusy(socket) || !isHttp(socket)) continue;
      if (seen.get(socket) === socket.bytesRead) socket.destroy();
      else seen.set(socket, socket.bytesRead);
    }
    if (traffic.sockets.size > 0) setTimeout(() => this.#sweep(seen), SILENCE_MS).unref();
  }

  #check(): void {
    const { traffic } = this.#parts;
    if (this.#order === null || traffic.inFlight > 0 || traffic.sockets.size > 0) return;
    if (this.#hooksStarted) this.#quiet?.();
    else this.#runHooks();
  }

  #runHooks(): void {
    if (this.#hooksStarted) return;
    this.#hooksStarted = true;
    void this.#runAndEnd();
  }

  async #runAndEnd(): Promise<void> {
    const { channel, hooks, traffic } = this.#parts;
    const outcome = await hooks.run();
    this.#hooksEnded = outcome === "ended";
    // Requests that outlast their share of the budget go on beside the hooks, to the deadline.
    if (traffic.inFlight > 0) await new Promise<void>((resolve) => (this.#quiet = resolve));
    if (outcome === "ended") this.#end();
    // From here on the process ends when the app says so or has nothing left to do; the deadline stands behind it.
    process.once("beforeExit", () => this.#end());
    channel.unref();
  }

  /** The deadline: says what is cut, and ends. */
  #cut(): void {
    const { channel, traffic } = this.#parts;
    const requests = traffic.inFlight;
    const connections = traffic.sockets.size;
    for (const socket of traffic.sockets) socket.destroy();
    channel.send({ type: "cut", requests, connections, hooks: this.#hooksStarted && !this.#hooksEnded }, () => this.#end());
    setTimeout(() => this.#end(), FLUSH_MS).unref();
  }

  #end(): void {
    process.exit(this.#order?.exitCode ?? 0);
  }
}

/** Whether http has the connection in hand: raw TCP and upgraded connections have their own manners and live to the deadline. */
function isHttp(socket: Socket): boolean {
  return (socket as { parser?: unknown }).parser != null;
}
