// Reads the first bytes of connections until they tell which client it is, and gives the connection back with them. Slow and silent clients cost little:
// the bytes, the time and the number of connections are bounded. Runs in the master.
import net from "node:net";
import { isDecided } from "../policy/forwarded.ts";
import type { World } from "../system/world.ts";
import type { ConnectionHandle } from "./internals.ts";
import { MOST_HELD, type Room } from "./room.ts";

export interface HeadLimits {
  /** A head that was begun has this long; then its worker, which has deadlines of its own, gets it as it is. */
  readonly begunMs: number;
  /** A connection on which nothing comes has this long, as with Node's own servers. */
  readonly silentMs: number;
  /** Beyond so many, or what there is room for, the one that has taken longest is closed. */
  readonly most: number;
}

/** 64 MiB of heads at most. */
const LIMITS: HeadLimits = { begunMs: 10_000, silentMs: 60_000, most: MOST_HELD };

/** What came of a connection; null: it has ended, or took too long. */
type Done = (text: string | null) => void;

export class HeadReader {
  readonly #world: Pick<World, "startTimer">;
  readonly #room: Room;
  readonly #limits: HeadLimits;
  /** How many were closed for others. */
  dropped = 0;
  /** In the order in which they came. */
  readonly #readings: Set<Reading> = new Set();

  constructor(world: Pick<World, "startTimer">, room: Room, limits: HeadLimits = LIMITS) {
    this.#world = world;
    this.#room = room;
    this.#limits = limits;
  }

  /** @param done is called once, with the first bytes as latin1; the handle is the caller's again then, closed where it gets null */
  read(handle: ConnectionHandle, done: Done): void {
    if (!this.#room.hasFor(this.#readings.size, this.#limits.most)) {
      this.dropped++;
      const [oldest] = this.#readings;
      if (oldest === undefined) {
        handle.close();
        return done(null);
      }
      oldest.end(null);
    }
    this.#room.take();
    const reading = new Reading(handle, this.#world, this.#limits, (text) => {
      this.#readings.delete(reading);
      this.#room.leave();
      done(text);
    });
    this.#readings.add(reading);
  }

  /** Gives all back with what they have sent by now, if only nothing. */
  finish(): void {
    for (const reading of [...this.#readings]) reading.end(reading.text);
  }
}

class Reading {
  text = "";
  readonly #handle: ConnectionHandle;
  readonly #socket: net.Socket;
  readonly #world: Pick<World, "startTimer">;
  readonly #limits: HeadLimits;
  readonly #done: Done;
  #cancel: () => void;
  #isOver = false;

  constructor(handle: ConnectionHandle, world: Pick<World, "startTimer">, limits: HeadLimits, done: Done) {
    this.#handle = handle;
    this.#world = world;
    this.#limits = limits;
    this.#done = done;
    this.#socket = new net.Socket({ handle, allowHalfOpen: true } as net.SocketConstructorOpts);
    this.#cancel = world.startTimer(limits.silentMs, () => this.end(null));
    this.#socket
      .on("data", (chunk: Buffer) => this.#onData(chunk.toString("latin1")))
      // Half closed: whoever has asked something first may still be answered.
      .once("end", () => this.end(this.text === "" ? null : this.text))
      .once("error", () => this.end(null));
  }

  end(text: string | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
    if (text === null) this.#socket.on("error", ignore).destroy();
    else this.#handOut();
    this.#done(text);
  }

  #onData(chunk: string): void {
    if (this.#isOver) return;
    if (this.text === "") {
      this.#cancel();
      this.#cancel = this.#world.startTimer(this.#limits.begunMs, () => this.end(this.text));
    }
    this.text += chunk;
    if (isDecided(this.text)) this.end(this.text);
  }

  /** As Node does before it sends a socket to another process. */
  #handOut(): void {
    this.#handle.readStop();
    (this.#socket as unknown as { _handle: unknown })._handle = null;
    this.#socket.removeAllListeners();
  }
}

function ignore(): void {}
