// Listening where the master accepts: on a socket that it holds for as long as the service lives, and hands each connection to a worker, in turn or to the slot
// of its client, told by the address or the head of the first request. Of workers it needs to know who listens where. Runs in the master.
import type { Config } from "../config/config.ts";
import type { Line } from "../log.ts";
import type { HandOverAnswer } from "../messenger/wire.ts";
import { forwardedFor, isTls } from "../policy/forwarded.ts";
import { isWhole } from "../policy/select.ts";
import type { State } from "../policy/state.ts";
import type { Children } from "../process/children.ts";
import type { PortMessage } from "../process/hearing.ts";
import { byClient, type Candidate, inTurn } from "../sockets/choice.ts";
import { lookForDeparted } from "../sockets/departed.ts";
import { HandOvers } from "../sockets/hand-overs.ts";
import { HeadReader } from "../sockets/head-reader.ts";
import { addressOf, placeOf, type Where } from "../sockets/incoming.ts";
import { acceptFrom, bindHandle, type ConnectionHandle, type TcpHandle } from "../sockets/internals.ts";
import { PortLocks } from "../sockets/port-locks.ts";
import { MOST_HELD, Room } from "../sockets/room.ts";
import { takeIn } from "../sockets/take-in.ts";
import type { World } from "../system/world.ts";
import { candidatesOf } from "./candidates.ts";
import { descriptorLimit, openDescriptors, waitingWithin } from "./descriptors.ts";
import { ABANDONED_MS } from "./lodgings.ts";
import { newPlace, type Place } from "./place.ts";
import { portConflict } from "./preflight.ts";

/** How long a worker may take to answer; after twice that another one is given the connection. */
const PATIENCE_MS = 2_500;
/** How the worker is chosen that a connection is handed to. */
export type AcceptStrategy = "round-robin" | "sticky";

interface Parts {
  readonly strategy: AcceptStrategy;
  readonly config: Pick<Config, "ports" | "host" | "stickyTrust" | "heartbeatTimeoutMs">;
  readonly children: Pick<Children, "handOver">;
  readonly world: Pick<World, "startTimer">;
  state(): State;
  write(line: Line): void;
  /** A port that the master cannot listen on after all. */
  onConflict(error: Error): void;
}

export class Acceptor {
  readonly #parts: Parts;
  readonly #places: Map<string, Place> = new Map();
  readonly #locks: PortLocks = new PortLocks();
  readonly #handOvers: HandOvers;
  readonly #heads: HeadReader;
  /** In a stop: workers that have not been told to drain yet, because what has come before is theirs. */
  readonly #leaving: Map<number, () => void> = new Map();
  #accepted = 0;
  /** In a stop: nothing more is accepted. */
  #isLast = false;
  #workers: State["workers"] | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { world, children, config, strategy } = parts;
    const room = new Room(waitingWithin(descriptorLimit(), openDescriptors()));
    this.#heads = new HeadReader(world, room);
    this.#handOvers = new HandOvers({
      ...{ world, room, look: lookForDeparted },
      patienceMs: Math.min(PATIENCE_MS, config.heartbeatTimeoutMs / 8),
      choice: strategy === "sticky" ? byClient : inTurn,
      candidates: (where) => this.#candidates(where),
      send: (life, { handle, text, id, port, host, expiresAt }) =>
        children.handOver(life, { type: "take", id, port, host, expiresAt, head: inBase64(text), isOwn: false }, handle),
      onFull: (where, held) => this.#tellOfCrowd(where, held),
    });
  }

  /** Of each port how many connections no worker has taken yet. */
  get held(): ReadonlyMap<number, number> {
    return new Map([...this.#places.values()].map(({ port }) => [port, this.#handOvers.heldOn(port)]));
  }

  get dropped(): HandOvers["dropped"] {
    const { dropped } = this.#handOvers;
    return { ...dropped, full: dropped.full + this.#heads.dropped };
  }

  /**
   * Binds the declared ports.
   * @throws ClusterError ERR_PORT_CONFLICT (exit 7)
   */
  bind(): void {
    const { ports, host } = this.#parts.config;
    for (const port of ports.filter((each) => each !== 0)) {
      const handle = bindHandle(host, port, "alone");
      if (typeof handle === "number") throw portConflict(port, "the app", "--port");
      this.#add({ port, host }, handle, true);
    }
  }

  onPort(life: number, message: PortMessage, handle: TcpHandle | undefined): void {
    switch (message.type) {
      case "locked":
        if (handle !== undefined) this.#locks.keep(message.port, handle);
        return;
      case "lodged":
        if (handle !== undefined) this.#lodge(message, handle);
        return this.#open(life, message);
      case "opened":
      case "reopened":
        return this.#open(life, message);
      case "shut":
        return this.#shut(life, this.#places.get(placeOf(message)));
      default:
        message satisfies never;
    }
  }

  onAnswer(life: number, id: number, answer: HandOverAnswer): void {
    this.#handOvers.onAnswer(life, id, answer);
    this.#tellDone();
  }

  onMissed(life: number): void {
    this.#handOvers.onMissed(life);
    this.#tellDone();
  }

  /** Who may have a connection has changed, perhaps. */
  settled({ workers }: State): void {
    if (workers === this.#workers) return;
    this.#workers = workers;
    for (const place of this.#places.values()) this.#listen(place);
    this.#handOvers.retry();
  }

  /** It is not listened to any more. */
  onCutOff(life: number): void {
    this.#handOvers.onCutOff(life);
    this.#tellDone();
  }

  /** Its channel is closed, on whichever side. */
  onDisconnected(life: number): void {
    this.#handOvers.onGone(life);
    this.#tellDone();
  }

  /** It has ended. */
  onGone(life: number): void {
    for (const place of this.#places.values()) this.#shut(life, place);
    this.#leaving.delete(life);
    this.#handOvers.onGone(life);
    this.#tellDone();
  }

  /**
   * A worker is to drain. In a stop nobody comes after it: the master takes in what the kernel has accepted, listens no longer, and tells whoever is left
   * without any work by that. A second order, in a hurry, waits for nothing.
   * @param waitMs until when it is told anyway
   */
  drain(life: number, waitMs: number, tell: () => void): void {
    const { stop } = this.#parts.state();
    const isHurried = this.#isLast || this.#leaving.has(life);
    if (stop === null || stop.stage === "delaying" || isHurried) return this.#tell(life, tell);
    this.#leaving.set(life, tell);
    this.#forget();
    if (this.#leaving.size === 1) void this.#leave(waitMs);
  }

  /** Nobody accepts any more. */
  close(): void {
    for (const place of this.#places.values()) place.handle.close();
    this.#places.clear();
    this.#handOvers.drop(null);
  }

  async #leave(waitMs: number): Promise<void> {
    await takeIn(() => this.#accepted);
    for (const place of this.#places.values()) place.handle.close();
    this.#isLast = true;
    this.#heads.finish();
    this.#handOvers.finish();
    this.#parts.world.startTimer(waitMs, () => {
      for (const [life, tell] of [...this.#leaving]) this.#tell(life, tell);
    });
    this.#tellDone();
  }

  #tellDone(): void {
    if (!this.#isLast) return;
    for (const [life, tell] of [...this.#leaving]) if (this.#handOvers.isDone(life)) this.#tell(life, tell);
  }

  /** It gets nothing more; what is on its way to it arrives first. */
  #tell(life: number, tell: () => void): void {
    this.#leaving.delete(life);
    this.#forget();
    this.#handOvers.leave(life);
    tell();
  }

  #forget(): void {
    for (const place of this.#places.values()) place.known = null;
  }

  #add({ port, host }: Where, handle: TcpHandle, isDeclared: boolean): void {
    this.#places.set(placeOf({ port, host }), newPlace({ port, host, handle, isDeclared }));
  }

  /** A worker has bound a port that nobody declared. One socket is enough. */
  #lodge(where: Where, handle: TcpHandle): void {
    if (this.#parts.state().stop !== null || this.#places.has(placeOf(where))) handle.close();
    else this.#add(where, handle, false);
  }

  #open(life: number, where: Where): void {
    const place = this.#places.get(placeOf(where));
    if (place === undefined) return;
    place.openers.add(life);
    place.known = null;
    place.cancelTimer?.();
    place.cancelTimer = null;
    this.#listen(place);
    this.#handOvers.retry();
  }

  #shut(life: number, place: Place | undefined): void {
    if (place?.openers.delete(life) !== true) return;
    place.known = null;
    if (place.openers.size === 0 && !place.isDeclared) this.#wait(place);
  }

  /** As with held sockets: an app may close a port and listen again; one that it has left is given up. */
  #wait(place: Place): void {
    place.cancelTimer = this.#parts.world.startTimer(ABANDONED_MS, () => {
      const state = this.#parts.state();
      if (state.stop !== null) return;
      if (!isWhole(state)) return this.#wait(place);
      const { port, host } = place;
      this.#parts.write({ level: "warn", fields: { port, host }, message: `no worker listens on port ${port} any more: it is given up` });
      this.#places.delete(placeOf(place));
      place.handle.close();
      this.#locks.release(port, this.#places.values());
      this.#handOvers.drop(place);
    });
  }

  /** From the first worker that is ready there until the end, whoever comes and goes. */
  #listen(place: Place): void {
    if (place.isListening || this.#parts.state().stop !== null || this.#candidates(place).length === 0) return;
    place.isListening = true;
    const errno = acceptFrom(place.handle, (connection) => this.#onConnection(place, connection));
    if (errno !== 0) this.#parts.onConflict(portConflict(place.port, "the app", place.isDeclared ? "--port" : "PORT or --port"));
  }

  #onConnection(place: Place, handle: ConnectionHandle): void {
    this.#accepted++;
    const { port, host } = place;
    if (this.#parts.strategy === "round-robin") return this.#handOvers.give({ handle, port, host, client: "", text: "" });
    const { stickyTrust } = this.#parts.config;
    const address = addressOf(handle);
    if (address === null) return handle.close();
    if (stickyTrust === "off") return this.#handOvers.give({ handle, port, host, client: address, text: "" });
    this.#heads.read(handle, (text) => {
      if (text === null) return;
      if (isTls(text)) this.#tellOfTls(place);
      this.#handOvers.give({ handle, port, host, client: forwardedFor(text, stickyTrust) ?? address, text });
    });
  }

  #candidates(where: Where): readonly Candidate[] {
    const place = this.#places.get(placeOf(where));
    if (place === undefined) return [];
    const { workers } = this.#parts.state();
    if (place.known?.workers !== workers) place.known = { workers, candidates: candidatesOf(workers, place.openers, this.#leaving) };
    return place.known.candidates;
  }

  #tellOfCrowd({ port }: Where, held: number): void {
    const why = held < MOST_HELD ? "; the master may open no more files for them (raise nofile, ulimit -n)" : "";
    const message = `${held} connections wait for a worker on port ${port}: those that come now are closed${why}`;
    this.#parts.write({ level: "warn", fields: { port, held }, message });
  }

  #tellOfTls(place: Place): void {
    if (place.isTlsTold) return;
    place.isTlsTold = true;
    const { port } = place;
    const message = `port ${port} is spoken to in TLS, which sticky-trust cannot read: these clients are told apart by address`;
    this.#parts.write({ level: "warn", fields: { port }, message });
  }
}

function inBase64(text: string): string {
  return text === "" ? "" : Buffer.from(text, "latin1").toString("base64");
}
