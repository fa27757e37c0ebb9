// The idle allowance of a drain: who has nothing due may send one more request until it ends; then who is silent goes. Runs in a child.
import { type Connection, kindOf } from "./connection.ts";
import type { Traffic } from "./traffic.ts";

/** Who sends nothing for this long, after the allowance, is silent; who is just sending is looked at again. */
const SILENCE_MS = 100;

export class Sweep {
  readonly #traffic: Traffic;
  readonly #onTurn: () => void;
  readonly #seen: WeakMap<Connection, number> = new WeakMap();
  #idleMs = Number.POSITIVE_INFINITY;
  #endsAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** @param onTurn is called every time that the sweep has looked at all connections, after the allowance */
  constructor(traffic: Traffic, onTurn: () => void) {
    this.#traffic = traffic;
    this.#onTurn = onTurn;
  }

  /** Whether the allowance of those that were idle from the beginning is over. */
  get isOver(): boolean {
    return performance.now() >= this.#endsAt;
  }

  /** Whether, that allowance over, nobody is left who could ask once more on a connection that is open. */
  get isDone(): boolean {
    return this.isOver && ![...this.#traffic.connections].some(isIdle);
  }

  /** Grants the allowance, or shortens one that was granted. A connection that gets idle later has it from then on. */
  allow(idleMs: number): void {
    this.#idleMs = Math.min(this.#idleMs, idleMs);
    this.#endsAt = Math.min(this.#endsAt, performance.now() + idleMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#sweep(), idleMs).unref();
  }

  #sweep(): void {
    const now = performance.now();
    for (const connection of this.#traffic.connections) {
      // A busy client that has heard no notice may never be idle: from here on its session takes no new streams.
      if (connection.inFlight > 0 && this.isOver && connection.top !== connection.raw) connection.session?.close();
      if (!isIdle(connection) || now - connection.idleAt < this.#idleMs) continue;
      const { bytesRead } = connection.raw;
      if (this.#seen.get(connection) !== bytesRead) this.#seen.set(connection, bytesRead);
      // Timers run before sockets are read: what has arrived by now is read first, and who has sent something stays.
      else setImmediate(() => isIdle(connection) && connection.raw.bytesRead === bytesRead && close(connection));
    }
    this.#onTurn();
    this.#timer = setTimeout(() => this.#sweep(), SILENCE_MS).unref();
  }
}

function isIdle(connection: Connection): boolean {
  if (connection.inFlight > 0) return false;
  const kind = kindOf(connection);
  return kind === "http1" || kind === "http2" || kind === "handshake";
}

/** HTTP/2 has a word for it; a session that has heard it and is still there goes as the others do. */
function close({ raw, session }: Connection): void {
  if (session === null || session.closed) raw.destroy();
  else session.close();
}
