// Connections that the master has accepted, on their way to a worker each: to the one that the choice names, one at a time, remembered until the worker says
// that it has taken it. Who dies, stands still or cannot take it loses it to the next. Runs in the master.
import type { World } from "../system/world.ts";
import type { Candidate, Choice } from "./choice.ts";
import { sharedNow } from "./clock.ts";
import { type Connection, type Incoming, type Line, placeOf, type Where } from "./incoming.ts";
import type { ConnectionHandle } from "./internals.ts";
import { Lines, putBack, takeGone } from "./lines.ts";
import { newQueue, type OnItsWay, type Queue, takeOut } from "./queue.ts";
import type { Room } from "./room.ts";
import { type Look, Sweep } from "./sweep.ts";

/** What a worker says: it has it, it does not accept (any more), or it heard of it too late. */
export type Answer = "taken" | "refused" | "late";

interface Ports {
  /** The workers that may have it. */
  candidates(where: Where): readonly Candidate[];
  readonly choice: Choice;
  /** @returns whether it is the only handle on its way to that worker; null: the channel is closed */
  send(life: number, handOver: HandOver): { readonly isAlone: boolean } | null;
  readonly world: Pick<World, "startTimer">;
  /** How many may be held, together with others. */
  readonly room: Room;
  /** Which clients have gone. */
  readonly look: Look;
  /** More come there than are held, which are so many. Told once, until there is room again. */
  onFull(where: Where, held: number): void;
  /** How long a worker may take. */
  readonly patienceMs: number;
}

export interface HandOver extends Incoming {
  readonly id: number;
  /** By the shared clock: from then on the worker must not take it. */
  readonly expiresAt: number;
}

/** Of the patience with one that is always late. */
const MOST_DOUBLINGS = 3;
/** When a worker without descriptors is tried again, and how long a connection waits for one: then its client is told. */
const TRY_AGAIN_MS = 100;
const MISSED_MS = 10_000;

export class HandOvers {
  readonly #ports: Ports;
  readonly #queues: Map<number, Queue> = new Map();
  readonly #lines: Lines;
  readonly #sweep: Sweep;
  /** How many were closed, by why: too many were held there, no worker took them, or their client had gone while it was full. */
  readonly dropped = { full: 0, untaken: 0, gone: 0 };
  /** Nobody comes after those who are there. */
  #isLast = false;
  #nextId = 1;
  #arrivals = 0;

  constructor(ports: Ports) {
    this.#ports = ports;
    const { world, room, look } = ports;
    this.#lines = new Lines(room);
    this.#sweep = new Sweep({ world, look, isNeeded: () => this.#lines.crowded.length > 0, clear: (isGone) => this.#clear(isGone) });
  }

  give(incoming: Incoming): void {
    const line = this.#lines.of(incoming);
    if (this.#lines.isFull(line)) return this.#turnAway(line, incoming);
    this.#lines.enter(line);
    line.waiting.push({ incoming, line, arrival: this.#arrivals++, refusedBy: new Set(), lates: 0, missedSince: null });
    this.#serve(line);
    if (this.#lines.isFull(line)) this.#sweep.start();
  }

  onAnswer(life: number, id: number, answer: Answer): void {
    const queue = this.#queues.get(life);
    if (queue === undefined) return;
    const wasStalled = queue.isStalled;
    queue.isStalled = false;
    const connection = takeOut(queue, id);
    if (connection !== null) this.#settle(life, connection, answer);
    this.#sendNext(life, queue);
    if (wasStalled || this.#ports.choice.isForAnybody) this.retry();
  }

  /** Node says that a handle did not reach the worker, which has no descriptor for it. */
  onMissed(life: number): void {
    const queue = this.#queues.get(life);
    if (queue === undefined) return;
    for (const [id, { isAlone }] of queue.onTheirWay) if (isAlone) return this.#miss(life, queue, id);
    // It was another one. Whoever says so lives.
    this.onAnswer(life, 0, "refused");
  }

  /** The worker has ended, or listens to nobody: what it has not said to have taken is as if it had never been sent. */
  onGone(life: number): void {
    this.#part(life, false);
  }

  /** It is not listened to any more, and lives on: what it was sent is its own, what still waits is not. */
  onCutOff(life: number): void {
    this.#part(life, true);
  }

  /** The worker is no candidate any more, and lives on: what waits for it goes to others, what is on its way arrives before what it is told next. */
  leave(life: number): void {
    this.#putBack(this.#queues.get(life)?.waiting.splice(0) ?? []);
  }

  /** Nobody comes after those who are there. */
  finish(): void {
    this.#isLast = true;
    this.retry();
  }

  /** Whether nothing is on its way to the worker, or waits for it, or for anybody and so for it, too. */
  isDone(life: number): boolean {
    const { isStalled = false, waiting = [], onTheirWay } = this.#queues.get(life) ?? {};
    if (isStalled || waiting.length > 0 || (onTheirWay?.size ?? 0) > 0) return false;
    return !this.#lines.all.some((line) => line.waiting.length > 0 && this.#isCandidate(life, line));
  }

  /** How many connections of a port no worker has taken yet. */
  heldOn(port: number): number {
    return this.#lines.heldOn(port);
  }

  /** Somebody may be there by now. */
  retry(): void {
    for (const line of this.#lines.all) this.#serve(line);
  }

  /** Ends what waits for nobody, on one place or, with null, on all. */
  drop(where: Where | null): void {
    for (const line of this.#lines.all) {
      if (where !== null && placeOf(line) !== placeOf(where)) continue;
      for (const connection of line.waiting.splice(0)) this.#abandon(connection);
      this.#lines.forget(line);
    }
  }

  /** To those who may have it, first come, first served; a connection that only some have refused lets others pass. */
  #serve(line: Line): void {
    const { waiting } = line;
    for (let index = 0; index < waiting.length; ) {
      const connection = waiting[index] as Connection;
      const { incoming, refusedBy } = connection;
      const candidates = this.#ports.candidates(line);
      const able = candidates.filter(({ life }) => this.#isAble(life));
      const willing = refusedBy.size === 0 ? able : able.filter(({ life }) => !refusedBy.has(life));
      const chosen = willing.length === 0 ? undefined : this.#ports.choice.choose(incoming.client, line.last, willing);
      if (chosen !== undefined) {
        waiting.splice(index, 1);
        this.#lines.turn(line, chosen.life);
        this.#enqueue(chosen.life, connection);
      } else if (this.#isHopeless(connection, candidates)) {
        waiting.splice(index, 1);
        this.#abandon(connection);
      } else if (able.length === 0) return;
      else index++;
    }
  }

  /** Better told at once than never. */
  #isHopeless({ refusedBy }: Connection, candidates: readonly Candidate[]): boolean {
    return candidates.length === 0 ? this.#isLast : candidates.every(({ life }) => refusedBy.has(life));
  }

  #isCandidate(life: number, line: Line): boolean {
    return this.#ports.candidates(line).some((each) => each.life === life);
  }

  #turnAway(line: Line, { handle }: Incoming): void {
    handle.close();
    this.dropped.full++;
    this.#sweep.start();
    if (line.fullAt !== null) return;
    line.fullAt = line.held;
    this.#ports.onFull(line, line.held);
  }

  /** What is on its way is left alone: somebody may have it already. */
  #clear(isGone: (handle: ConnectionHandle) => boolean): void {
    const { crowded } = this.#lines;
    for (const { waiting } of [...crowded, ...this.#queues.values()]) {
      const gone = takeGone(waiting, ({ line, incoming }) => crowded.includes(line) && isGone(incoming.handle));
      this.dropped.gone += gone.length;
      for (const connection of gone) this.#end(connection);
    }
  }

  #part(life: number, keepsSent: boolean): void {
    const queue = this.#queues.get(life);
    if (queue === undefined) return;
    this.#queues.delete(life);
    const sent = [...queue.onTheirWay.values()];
    for (const { cancel } of sent) cancel();
    // Node keeps back what is not alone.
    const isItsOwn = ({ isAlone }: OnItsWay): boolean => keepsSent && isAlone;
    for (const each of sent) if (isItsOwn(each)) this.#end(each.connection);
    this.#putBack([...sent.filter((each) => !isItsOwn(each)).map(({ connection }) => connection), ...queue.waiting]);
  }

  #isAble(life: number): boolean {
    const queue = this.#queues.get(life);
    if (queue === undefined) return true;
    if (queue.isStalled) return false;
    return !this.#ports.choice.isForAnybody || queue.onTheirWay.size === 0;
  }

  #enqueue(life: number, connection: Connection): void {
    const queue = this.#queueOf(life);
    queue.waiting.push(connection);
    this.#sendNext(life, queue);
  }

  #putBack(connections: readonly Connection[]): void {
    for (const connection of connections) putBack(connection);
    this.retry();
  }

  #queueOf(life: number): Queue {
    const queue = this.#queues.get(life) ?? newQueue();
    this.#queues.set(life, queue);
    return queue;
  }

  /** Node itself sends no handle before the last one has arrived: what waits here instead can still go to somebody else. */
  #sendNext(life: number, queue: Queue): void {
    while (queue.onTheirWay.size === 0 && !queue.isStalled) {
      const connection = queue.waiting.shift();
      if (connection === undefined) return;
      this.#send(life, queue, connection);
    }
  }

  #send(life: number, queue: Queue, connection: Connection): void {
    const patienceMs = this.#ports.patienceMs * 2 ** Math.min(connection.lates, MOST_DOUBLINGS);
    const id = this.#nextId++;
    const sent = this.#ports.send(life, { ...connection.incoming, id, expiresAt: sharedNow() + patienceMs });
    if (sent === null) return this.#stall(queue, connection);
    queue.onTheirWay.set(id, { connection, isAlone: sent.isAlone, cancel: this.#watch(life, id, patienceMs) });
  }

  /**
   * Twice the time that the worker has: it never begins with a connection that somebody else has been given. What it has said meanwhile is read first, and a
   * master that was suspended itself begins anew.
   */
  #watch(life: number, id: number, patienceMs: number): () => void {
    const armedAt = sharedNow();
    let cancel = this.#ports.world.startTimer(patienceMs * 2, () => {
      if (sharedNow() - armedAt > patienceMs * 3) cancel = this.#watch(life, id, patienceMs);
      else setImmediate(() => this.#expire(life, id));
    });
    return () => cancel();
  }

  #expire(life: number, id: number): void {
    const queue = this.#queues.get(life);
    const connection = queue === undefined ? null : takeOut(queue, id);
    if (queue !== undefined && connection !== null) this.#stall(queue, connection);
  }

  /** What waits there goes to others; it gets nothing more until it answers. */
  #stall(queue: Queue, connection: Connection): void {
    queue.isStalled = true;
    this.#putBack([connection, ...queue.waiting.splice(0)]);
  }

  #miss(life: number, queue: Queue, id: number): void {
    const connection = takeOut(queue, id);
    if (connection === null) return;
    connection.missedSince ??= sharedNow();
    if (sharedNow() - connection.missedSince > MISSED_MS) {
      this.#abandon(connection);
      return this.onAnswer(life, 0, "refused");
    }
    this.#ports.world.startTimer(TRY_AGAIN_MS, () => this.onAnswer(life, 0, "refused"));
    this.#stall(queue, connection);
  }

  #settle(life: number, connection: Connection, answer: Answer): void {
    if (answer === "taken") return this.#end(connection);
    if (answer === "late") connection.lates++;
    // Who has closed its server says so before, and may open it again.
    else if (this.#isCandidate(life, connection.line)) connection.refusedBy.add(life);
    this.#putBack([connection]);
  }

  #abandon(connection: Connection): void {
    this.dropped.untaken++;
    this.#end(connection);
  }

  /** The master's own copy goes; where no worker has one, that is the end of the connection. */
  #end({ incoming, line }: Connection): void {
    this.#lines.leave(line);
    incoming.handle.close();
  }
}
