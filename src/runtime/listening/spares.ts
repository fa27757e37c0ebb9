// Evens out connections that stay, where the kernel spreads them by chance: a worker that has others offers one that it has just accepted, and another that has fewer
// takes it. The giver decides, and soon: it serves the connection itself unless somebody wants it in time, and until then nobody else has any part of it.
// Runs in a worker.
import type { Server } from "node:net";
import { Allowance } from "../../messenger/allowance.ts";
import type { SpareOrder } from "../../messenger/spare.ts";
import type { HandleGroup } from "../../sockets/handle-group.ts";
import type { Where } from "../../sockets/incoming.ts";
import type { ConnectionHandle } from "../../sockets/internals.ts";
import type { Channel } from "../border/channel.ts";
import type { Traffic } from "../traffic/traffic.ts";

/** How long the giver waits for somebody who wants it. */
const PATIENCE_MS = 25;
/** How long it asks nobody after one that nothing was heard of in time: the master stands still, or the machine is busy. */
const REST_MS = 100;
/** How often it may ask: enough to even out a pool of connections, and 5 times a second where they come and go. */
const MOST_ASKED = 100;
const PERIOD_MS = 20_000;

/** What it has to know of the connections here. */
export type Counts = Pick<Traffic, "connections" | "isLasting" | "countOn">;

interface Listening {
  readonly server: Server;
  readonly group: HandleGroup;
}

interface Offer extends Where {
  readonly id: number;
  readonly connection: ConnectionHandle;
  readonly group: HandleGroup;
  readonly timer: NodeJS.Timeout;
}

export class Spares {
  readonly #channel: Channel;
  readonly #traffic: Counts;
  readonly #allowance: Allowance = new Allowance(MOST_ASKED, PERIOD_MS);
  /** One at a time: whatever comes meanwhile is served at once. */
  #offer: Offer | null = null;
  #restsUntil = 0;
  #nextId = 1;
  #ended = false;

  constructor(channel: Channel, traffic: Counts) {
    this.#channel = channel;
    this.#traffic = traffic;
  }

  /**
   * Offers a connection to those that have fewer, where connections stay.
   * @param group serves it unless somebody else takes it
   * @returns whether it is on offer; else it is to be served here at once
   */
  offer({ port, host }: Where, connection: ConnectionHandle, group: HandleGroup): boolean {
    const count = this.#traffic.connections.size;
    if (count === 0 || this.#offer !== null || this.#ended || !this.#traffic.isLasting || !this.#channel.isFreeForHandles()) return false;
    if (performance.now() < this.#restsUntil || !this.#allowance.take()) return false;
    const id = this.#nextId++;
    const timer = setTimeout(() => this.#giveUp(id), PATIENCE_MS);
    this.#offer = { id, port, host, connection, group, timer };
    this.#channel.sendNow({ type: "spare", id, port, host, count });
    return true;
  }

  /** @param listening where the app listens, if it does */
  obey(order: SpareOrder, listening: Listening | undefined): void {
    if (order.type === "wanted") return order.taker === null ? this.#keep(order.id) : this.#yield(order.id, order.taker);
    const count = this.#traffic.connections.size;
    const isWanted = !this.#ended && count < order.below && listening?.group.isOpen === true && this.#hasRoom(listening.server);
    this.#channel.sendNow({ type: "wants", id: order.id, isWanted, count });
  }

  /** A server closes: it has what it has accepted first. */
  recall(group: HandleGroup): void {
    if (this.#offer?.group === group) this.#keep(this.#offer.id);
  }

  /** Nothing is offered or wanted any more. */
  end(): void {
    this.#ended = true;
    if (this.#offer !== null) this.#keep(this.#offer.id);
  }

  /** A server has its own limit, and this worker may have others beside it. */
  #hasRoom(server: Server): boolean {
    const most = server.maxConnections ?? Number.POSITIVE_INFINITY;
    return most === Number.POSITIVE_INFINITY || this.#traffic.countOn(server) < most;
  }

  #giveUp(id: number): void {
    this.#restsUntil = performance.now() + REST_MS;
    this.#keep(id);
  }

  #keep(id: number): void {
    const offer = this.#takeBack(id);
    if (offer !== null) this.#serve(offer);
  }

  #yield(id: number, taker: number): void {
    const offer = this.#takeBack(id);
    if (offer === null) return;
    const { port, host, connection } = offer;
    this.#channel.giveAway({ type: "yields", id, port, host, taker }, connection, (isGone) =>
      isGone ? connection.close() : this.#serve(offer),
    );
  }

  #takeBack(id: number): Offer | null {
    const offer = this.#offer;
    if (offer?.id !== id) return null;
    this.#offer = null;
    clearTimeout(offer.timer);
    return offer;
  }

  /** What the app throws at it must not end what happens to be running. */
  #serve({ id, connection, group }: Offer): void {
    this.#channel.sendNow({ type: "keeps", id });
    try {
      group.give(connection);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
