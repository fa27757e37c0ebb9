// Listening where the master accepts: the app's listen() gets a handle that is none, and the connections that the master hands over come out of it as if it
// had accepted them. A port that nobody declared is bound here and lodged with the master. Runs in a worker.
import type { Server } from "node:net";
import type { Assignment, HandOverOrder } from "../../messenger/wire.ts";
import { HandleGroup } from "../../sockets/handle-group.ts";
import { bindHandle, type ConnectionHandle } from "../../sockets/internals.ts";
import type { Channel } from "../border/channel.ts";
import { bindOwn, hookListens, type Own, refusing } from "./listen-hook.ts";
import { accepts, overlaps, type Target } from "./listen-target.ts";
import { takeConnection } from "./take.ts";

/** The server that has, or had, a port on an address. */
interface Listening {
  readonly port: number;
  readonly host: string | null;
  readonly server: Server;
  readonly group: HandleGroup;
}

export class HandOverListening {
  readonly #assignment: Assignment;
  readonly #channel: Channel;
  readonly #listening: Map<string, Listening> = new Map();
  #ended = false;

  constructor(assignment: Assignment, channel: Channel) {
    this.#assignment = assignment;
    this.#channel = channel;
    channel.onListen((order, handle) => order.type === "take" && this.#take(order, handle as ConnectionHandle | undefined));
    hookListens((server, target) => this.#onListen(server, target));
  }

  /** The worker drains: a server that the app opens from here on gets nothing. */
  end(): void {
    this.#ended = true;
  }

  /** The server is closed by then, and takes nothing. */
  finish(): void {}

  #onListen(server: Server, target: Target): HandleGroup | null {
    const beside = [...this.#listening.values()].filter(({ port }) => port === target.port);
    if (beside.some(({ group, host }) => group.isOpen && overlaps(target, host))) return refusing();
    const declared = this.#declaredHost(target);
    if (this.#ended || declared !== undefined) return this.#open(server, target, declared ?? target.host ?? null, null);
    const host = target.host ?? null;
    const own = bindOwn(target.port, host, this.#assignment.service);
    return own === "taken" ? refusing() : own === null ? null : this.#open(server, target, host, own);
  }

  /** The address that the master has bound the port on; undefined: it has not. */
  #declaredHost(target: Target): string | null | undefined {
    const { handOver, ports } = this.#assignment;
    const host = handOver?.host ?? null;
    // The master alone can listen there: better with other addresses than not at all.
    return ports.includes(target.port) && accepts(target, host, () => true) ? host : undefined;
  }

  #open(server: Server, { port, backlog }: Target, host: string | null, own: Own | null): HandleGroup {
    const group = new HandleGroup({
      name: nameOn(port, host),
      backlog,
      listened: () => this.#tell(port, host, own),
      closed: () => this.#channel.send({ type: "shut", port, host }),
    });
    this.#listening.set(keyOf(port, host), { port, host, server, group });
    return group;
  }

  /** The master keeps the socket and the lock. A copy here would outlive it, and keep the port from the next one. */
  #tell(port: number, host: string | null, own: Own | null): void {
    if (this.#ended) return own?.handle.close();
    if (own === null) return this.#channel.send({ type: "opened", port, host });
    const { handle, locks } = own;
    this.#channel.send({ type: "lodged", queue: this.#assignment.slot, port, host }, () => handle.close(), handle);
    for (const each of locks) this.#channel.send({ type: "locked", port }, () => each.close(), each);
  }

  #take(order: HandOverOrder, connection: ConnectionHandle | undefined): void {
    if (connection === undefined) return;
    const listening = this.#listening.get(keyOf(order.port, order.host));
    takeConnection(this.#channel, order, connection, listening?.group.isOpen === true ? listening : undefined);
  }
}

/** What getsockname() would say of a socket there: where IPv6 is off, all interfaces are those of IPv4. */
function nameOn(port: number, host: string | null): object {
  const some = bindHandle(host, 0);
  const name: { address?: string; family?: string; port?: number } = {};
  if (typeof some === "number") return { address: host ?? "::", port };
  some.getsockname(name);
  some.close();
  return { ...name, port };
}

function keyOf(port: number, host: string | null): string {
  return `${port} ${host ?? ""}`;
}
