// Connections that the master has accepted, on their way to a worker each: to the slot that their client belongs to, one at a time, remembered until the
// worker says that it has taken it. Who dies, stands still or cannot take it loses it to the next. Runs in the master.
import { slotOf } from "../policy/rendezvous.ts";
import type { World } from "../system/world.ts";
import { sharedNow } from "./clock.ts";
import type { ConnectionHandle } from "./internals.ts";

export interface Incoming {
  readonly handle: ConnectionHandle;
  readonly port: number;
  readonly host: string | null;
  /** What the choice of the slot goes by. */
  readonly client: string;
  /** What was read of it already, as latin1. */
  readonly text: string;
}

export interface Candidate {
  readonly life: number;
  readonly slot: number;
}

/** What a worker says: it has it, it does not accept (any more), or it heard of it too late. */
export type Answer = "taken" | "refused" | "late";

interface Ports {
  /** The workers that may have it: at most one of each slot. */
  candidates(port: number, host: string | null): readonly Candidate[];
  /** @returns whether it is the only handle on its way to that worker; null: the channel is closed */
  send(life: number, handOver: HandOver): { readonly isAlone: boolean } | null;
  readonly world: Pick<World, "startTimer">;
  /** How long a worker may take. */
  readonly patienceMs: number;
}

export interface HandOver extends Incoming {
  readonly id: number;
  /** By the shared clock: from then on the worker must not take it. */
  readonly expiresAt: number;
}

interface Connection {
  readonly incoming: Incoming;
  readonly refusedBy: Set<number>;
  /** How often a worker heard of it too late: one that is always slow gets more time. */
  lates: number;
}

interface OnItsWay {
  readonly connection: Connection;
  readonly isAlone: boolean;
  readonly cancel: () => void;
}

interface Queue {
  readonly waiting: Connection[];
  readonly onTheirWay: Map<number, OnItsWay>;
  /** It has let one expire and not answered since. */
  isStalled: boolean;
}

/** More than this the master does not hold: each costs a descriptor. */
const MOST_HELD = 4_096;
/** Of the patience with one that is always late. */
const MOST_DOUBLINGS = 3;

export class HandOvers {
  readonly #ports: Ports;
  readonly #queues: Map<number, Queue> = new Map();
  /** For whom nobody is there just now. */
  #unassigned: Connection[] = [];
  #held = 0;
  #nextId = 1;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  give(incoming: Incoming): void {
    if (this.#held >= MOST_HELD) return incoming.handle.close();
    this.#held++;
    this.#assign({ incoming, refusedBy: new Set(), lates: 0 });
  }

  onAnswer(life: number, id: number, answer: Answer): void {
    const queue = this.#queues.get(life);
    if (queue === undefined) return;
    const wasStalled = queue.isStalled;
    queue.isStalled = false;
    const connection = takeOut(queue, id);
    if (connection !== null) this.#settle(life, connection, answer);
    this.#sendNext(life, queue);
    if (wasStalled) this.retry();
  }

  /** Node says that a handle did not reach the worker, which has no descriptor for it. */
  onMissed(life: number): void {
    for (const [id, { isAlone }] of this.#queues.get(life)?.onTheirWay ?? []) if (isAlone) return this.onAnswer(life, id, "refused");
    // It was another one. Whoever says so lives.
    this.onAnswer(life, 0, "refused");
  }

  /** The worker has ended: what it has not said to have taken is as if it had never been sent. */
  onGone(life: number): void {
    const queue = this.#queues.get(life);
    if (queue === undefined) return;
    this.#queues.delete(life);
    const connections = [...queue.onTheirWay.values()].map(({ connection, cancel }) => {
      cancel();
      return connection;
    });
    for (const connection of [...connections, ...queue.waiting]) this.#assign(connection);
  }

  /** Sends a worker all that waits for it, ahead of whatever it is told next. */
  flush(life: number): void {
    const queue = this.#queues.get(life);
    if (queue === undefined) return;
    for (const connection of queue.waiting.splice(0)) this.#send(life, queue, connection);
  }

  /** Somebody may be there by now. */
  retry(): void {
    for (const connection of this.#unassigned.splice(0)) this.#assign(connection);
  }

  /** Ends what waits for nobody, on one address or on all. */
  drop(isDropped: (incoming: Incoming) => boolean): void {
    const dropped = this.#unassigned.filter(({ incoming }) => isDropped(incoming));
    this.#unassigned = this.#unassigned.filter((connection) => !dropped.includes(connection));
    for (const connection of dropped) this.#end(connection);
  }

  #assign(connection: Connection): void {
    const { port, host, client } = connection.incoming;
    const candidates = this.#ports.candidates(port, host);
    const willing = candidates.filter(({ life }) => !connection.refusedBy.has(life));
    // All have refused it: better told at once than never.
    if (candidates.length > 0 && willing.length === 0) return this.#end(connection);
    const able = willing.filter(({ life }) => this.#queues.get(life)?.isStalled !== true);
    const slot = slotOf(
      client,
      able.map((each) => each.slot),
    );
    const chosen = able.find((each) => each.slot === slot);
    if (chosen === undefined) return void this.#unassigned.push(connection);
    const queue = this.#queueOf(chosen.life);
    queue.waiting.push(connection);
    this.#sendNext(chosen.life, queue);
  }

  #queueOf(life: number): Queue {
    const queue = this.#queues.get(life) ?? { waiting: [], onTheirWay: new Map(), isStalled: false };
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
    for (const each of [connection, ...queue.waiting.splice(0)]) this.#assign(each);
  }

  #settle(life: number, connection: Connection, answer: Answer): void {
    if (answer === "taken") return this.#end(connection);
    if (answer === "refused") connection.refusedBy.add(life);
    else connection.lates++;
    this.#assign(connection);
  }

  /** The master's own copy goes; where no worker has one, that is the end of the connection. */
  #end({ incoming }: Connection): void {
    this.#held--;
    incoming.handle.close();
  }
}

function takeOut(queue: Queue, id: number): Connection | null {
  const onItsWay = queue.onTheirWay.get(id);
  if (onItsWay === undefined) return null;
  queue.onTheirWay.delete(id);
  onItsWay.cancel();
  return onItsWay.connection;
}
