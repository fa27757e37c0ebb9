// Listening where the master accepts: on a socket that it holds for as long as the service lives, and hands each connection to a worker, in turn or to the slot
// of its client, told by the address or the head of the first request. Of workers it needs to know who listens where. Runs in the master.
import { setImmediate as turn } from "node:timers/promises";
import type { Config } from "../config/config.ts";
import type { Line } from "../log.ts";
import { forwardedFor, isTls, plainAddress } from "../policy/forwarded.ts";
import { isWhole } from "../policy/select.ts";
import type { State } from "../policy/state.ts";
import type { Children, PortMessage } from "../process/children.ts";
import { byClient, type Candidate, inTurn } from "../sockets/choice.ts";
import { HandOvers } from "../sockets/hand-overs.ts";
import { HeadReader } from "../sockets/head-reader.ts";
import { placeOf, type Where } from "../sockets/incoming.ts";
import { acceptFrom, bindHandle, type ConnectionHandle, type TcpHandle } from "../sockets/internals.ts";
import type { World } from "../system/world.ts";
import { ABANDONED_MS } from "./lodgings.ts";
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

interface Place {
  readonly port: number;
  readonly host: string | null;
  readonly isDeclared: boolean;
  readonly handle: TcpHandle;
  isListening: boolean;
  isTlsTold: boolean;
  /** The lives in which the app listens there. */
  readonly openers: Set<number>;
  /** While nobody does. */
  cancelTimer: (() => void) | null;
  /** Who may have its connections, with these workers: asked for each of them, and seldom another answer. */
  known: { readonly workers: State["workers"]; readonly candidates: readonly Candidate[] } | null;
}

export class Acceptor {
  readonly #parts: Parts;
  readonly #places: Map<string, Place> = new Map();
  readonly #locks: TcpHandle[] = [];
  readonly #handOvers: HandOvers;
  readonly #heads: HeadReader;
  /** In a stop: workers that have not been told yet, because what has come before is theirs. */
  readonly #leaving: Map<number, () => void> = new Map();

  constructor(parts: Parts) {
    this.#parts = parts;
    const { world, children, config, strategy } = parts;
    this.#heads = new HeadReader(world);
    this.#handOvers = new HandOvers({
      world,
      patienceMs: Math.min(PATIENCE_MS, config.heartbeatTimeoutMs / 8),
      choice: strategy === "sticky" ? byClient : inTurn(),
      candidates: (where) => this.#candidates(where),
      send: (life, { handle, text, id, port, host, expiresAt }) =>
        children.handOver(life, { type: "take", id, port, host, expiresAt, head: inBase64(text) }, handle),
    });
  }

  get ports(): readonly number[] {
    return [...this.#places.values()].map(({ port }) => port);
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
        if (handle !== undefined) this.#locks.push(handle);
        return;
      case "lodged":
        if (handle !== undefined) this.#lodge(message, handle);
        return this.#open(life, message);
      case "opened":
      case "reopened":
        return this.#open(life, message);
      case "shut":
        return this.#shut(life, this.#places.get(placeOf(message)));
      case "answered":
        return this.#handOvers.onAnswer(life, message.id, message.answer);
      default:
        message satisfies never;
    }
  }

  onMissed(life: number): void {
    this.#handOvers.onMissed(life);
  }

  onReady(): void {
    for (const place of this.#places.values()) this.#listen(place);
    this.#handOvers.retry();
  }

  /** It is not listened to any more. */
  onCutOff(life: number): void {
    this.#handOvers.onCutOff(life);
  }

  /** Its channel is closed, on whichever side. */
  onDisconnected(life: number): void {
    this.#handOvers.onGone(life);
  }

  /** It has ended. */
  onGone(life: number): void {
    for (const place of this.#places.values()) this.#shut(life, place);
    this.#leaving.delete(life);
    this.#handOvers.onGone(life);
  }

  /**
   * A worker is to drain: what waits for it is sent ahead. In a stop nobody comes after it, so the master first takes in what the kernel has accepted and
   * listens no longer.
   */
  drain(life: number, tell: () => void): void {
    if (this.#parts.state().stop === null) {
      this.#handOvers.flush(life);
      return tell();
    }
    this.#leaving.set(life, tell);
    for (const place of this.#places.values()) place.known = null;
    if (this.#leaving.size === 1) void this.#leave();
  }

  /** Nobody accepts any more. */
  close(): void {
    for (const place of this.#places.values()) place.handle.close();
    this.#places.clear();
    this.#handOvers.drop(() => true);
  }

  async #leave(): Promise<void> {
    // The first one ends the turn that this is in; the second one comes after a look at every socket.
    await turn();
    await turn();
    for (const place of this.#places.values()) place.handle.close();
    this.#heads.finish();
    this.#handOvers.spread();
    for (const [life, tell] of this.#leaving) {
      this.#handOvers.flush(life);
      tell();
    }
    this.#leaving.clear();
    this.#places.clear();
  }

  #add({ port, host }: Where, handle: TcpHandle, isDeclared: boolean): void {
    const rest = { isListening: false, isTlsTold: false, openers: new Set<number>(), cancelTimer: null, known: null };
    this.#places.set(placeOf({ port, host }), { port, host, handle, isDeclared, ...rest });
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
      this.#handOvers.drop((incoming) => incoming.port === port && incoming.host === host);
    });
  }

  /** From the first worker that is ready there until the end, whoever comes and goes. */
  #listen(place: Place): void {
    if (place.isListening || this.#candidates(place).length === 0) return;
    place.isListening = true;
    const errno = acceptFrom(place.handle, (connection) => this.#onConnection(place, connection));
    if (errno !== 0) this.#parts.onConflict(portConflict(place.port, "the app", place.isDeclared ? "--port" : "PORT or --port"));
  }

  #onConnection(place: Place, handle: ConnectionHandle): void {
    const { port, host } = place;
    if (this.#parts.strategy === "round-robin") return this.#handOvers.give({ handle, port, host, client: "", text: "" });
    const { stickyTrust } = this.#parts.config;
    const address = addressOf(handle);
    // It has gone already.
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
    if (place.known?.workers !== workers) place.known = { workers, candidates: this.#find(place, workers) };
    return place.known.candidates;
  }

  /** Of each slot the oldest one that is ready: its successor may still be on trial. */
  #find(place: Place, workers: State["workers"]): readonly Candidate[] {
    const found = workers.flatMap(({ index, lives }) => {
      const open = lives.filter(({ id }) => place.openers.has(id)).toSorted((a, b) => a.id - b.id);
      const serving = open.find((life) => life.state === "ready" && !life.suspected) ?? open.find((life) => life.state === "ready");
      return serving === undefined ? [] : [{ life: serving.id, slot: index, isSuspected: serving.state === "ready" && serving.suspected }];
    });
    const able = found.filter(({ isSuspected }) => !isSuspected);
    if (able.length > 0) return able;
    return found.length > 0 ? found : this.#leavers(place, workers);
  }

  #leavers({ openers }: Place, workers: State["workers"]): readonly Candidate[] {
    const leaving = workers.flatMap(({ index, lives }) => lives.map(({ id }) => ({ life: id, slot: index })));
    return leaving.filter(({ life }) => this.#leaving.has(life) && openers.has(life));
  }

  #tellOfTls(place: Place): void {
    if (place.isTlsTold) return;
    place.isTlsTold = true;
    const { port } = place;
    const message = `port ${port} is spoken to in TLS, which sticky-trust cannot read: these clients are told apart by address`;
    this.#parts.write({ level: "warn", fields: { port }, message });
  }
}

function addressOf(handle: ConnectionHandle): string | null {
  const peer: { address?: string } = {};
  return handle.getpeername(peer) === 0 && peer.address !== undefined ? plainAddress(peer.address) : null;
}

function inBase64(text: string): string {
  return text === "" ? "" : Buffer.from(text, "latin1").toString("base64");
}
