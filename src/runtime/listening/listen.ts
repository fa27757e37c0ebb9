// Gives the app's listen() sockets that outlive the worker: those that the master holds, or, for a port that nobody declared, one that this worker
// binds and lodges with the master. All queues of a port accept on the app's one server. A path, a descriptor, port 0, a host by name and
// `exclusive` keep Node's semantics. Runs in a worker.
import type { Server } from "node:net";
import type { Assignment, ChildToMaster, HandOverOrder, ListenOrder, PortOrder, QueueOrder } from "../../messenger/wire.ts";
import { type GroupOptions, HandleGroup } from "../../sockets/handle-group.ts";
import { bindHandle, type ConnectionHandle, openHandle, type TcpHandle } from "../../sockets/internals.ts";
import { lockPort } from "../../sockets/lock.ts";
import type { Channel } from "../border/channel.ts";
import { ADDRESS_IN_USE, bindOwn, hookListens, type Own, refusing } from "./listen-hook.ts";
import { accepts, nameOf, overlaps, type Target } from "./listen-target.ts";
import { type Counts, Spares } from "./spares.ts";
import { takeConnection } from "./take.ts";

/** A queue that waits for its server: inherited and not opened yet, or come over the channel. */
interface Waiting {
  readonly queue: number;
  readonly port: number;
  readonly host: string | null;
  /** Others accept from it already. */
  readonly isBusy: boolean;
  open(): TcpHandle;
}

/** The server that has, or had, a port on an address. */
interface Listening {
  readonly port: number;
  readonly server: Server;
  readonly group: HandleGroup;
  readonly host: string | null;
}

export class HeldListening {
  readonly #assignment: Assignment;
  readonly #channel: Channel;
  readonly #listening: Map<string, Listening> = new Map();
  /** How many answers to `reopened` are due, by place. */
  readonly #asked: Map<string, number> = new Map();
  readonly #spares: Spares;
  /** The places that the master has bound: every worker has its queue there. */
  readonly #declared: ReadonlySet<string>;
  #waiting: Waiting[];
  #ended = false;
  /** Nobody accepts after it. */
  #isLast = false;
  #finished = false;

  constructor(assignment: Assignment, channel: Channel, traffic: Counts) {
    this.#assignment = assignment;
    this.#channel = channel;
    this.#spares = new Spares(channel, traffic);
    this.#waiting = assignment.held.map(({ fd, ...socket }) => ({ ...socket, open: () => openHandle(fd) }));
    this.#declared = new Set(assignment.held.filter(({ isDeclared }) => isDeclared).map(({ port, host }) => keyOf(port, host)));
    channel.onListen((order, handle) => this.#obey(order, handle));
    if (assignment.service !== null) hookListens((server, target) => this.#onListen(server, target));
  }

  /**
   * The worker drains. What still waits goes: a copy that nobody accepts from would keep the port open. A server that the app opens from here on gets
   * nothing: a socket of its own would take connections with it when it is closed.
   */
  end(isLast: boolean): void {
    this.#ended = true;
    this.#isLast ||= isLast;
    this.#drop(() => true);
    this.#spares.end();
  }

  /** Whatever comes from here on would be cut off. */
  finish(): void {
    this.#finished = true;
  }

  #obey(order: ListenOrder, handle: unknown): void {
    switch (order.type) {
      case "adopt":
        return this.#adopt(order, handle as TcpHandle | undefined);
      case "release":
        return this.#release(order);
      case "offered":
        return this.#complete(order);
      case "forget":
        return this.#forget(order);
      case "take":
        return this.#takeOver(order, handle as ConnectionHandle | undefined);
      case "spared":
        return this.#spares.obey(order, this.#listening.get(keyOf(order.port, order.host)));
      case "wanted":
        return this.#spares.obey(order, undefined);
      default:
        order satisfies never;
    }
  }

  /**
   * Another worker has accepted it, and has let go of it for this one; or it was this one, and the other could not take it. In a stop a worker that drains takes it, too:
   * nobody else is left.
   */
  #takeOver(order: HandOverOrder, connection: ConnectionHandle | undefined): void {
    if (connection === undefined) return;
    const listening = this.#listening.get(keyOf(order.port, order.host));
    const isTaken = listening?.group.isOpen === true || order.isOwn || (this.#isLast && listening?.server.listening === true);
    takeConnection(this.#channel, order, connection, isTaken && !this.#finished ? listening : undefined);
  }

  /** One queue more: one that lost its workers, a new slot's, or one that a sibling lodged. */
  #adopt(order: QueueOrder, handle: TcpHandle | undefined): void {
    if (handle === undefined) return;
    const { queue, port, host, isBusy } = order;
    const listening = this.#listening.get(keyOf(port, host));
    if (listening?.group.isOpen === true) listening.group.add(queue, handle);
    // A server that still looks open is one that drains: it takes nothing more.
    else if (listening?.server.listening === true) handle.close();
    else this.#waiting.push({ queue, port, host, isBusy, open: () => handle });
  }

  #release({ queue, port, host }: QueueOrder): void {
    this.#listening.get(keyOf(port, host))?.group.remove(queue);
    this.#drop((waiting) => waiting.port === port && waiting.queue === queue && waiting.host === host);
  }

  /** All that the master has for a server that was opened again has come. Where that is not enough, it is as for a first one. */
  #complete({ port, host }: PortOrder): void {
    const key = keyOf(port, host);
    const asked = Math.max(0, (this.#asked.get(key) ?? 0) - 1);
    this.#asked.set(key, asked);
    // The answer to an earlier opening: what it brought went with that one, and the rest is still to come.
    if (asked > 0) return;
    const listening = this.#listening.get(key);
    if (
      listening?.group.isOpen !== true ||
      !this.#isShort(
        port,
        host,
        listening.group.sockets.map(({ queue }) => queue),
      )
    )
      return;
    const own = bindOwn(port, host, this.#assignment.service);
    if (own !== "taken" && own !== null) {
      const { slot } = this.#assignment;
      listening.group.add(slot, own.handle);
      this.#lodge({ type: "lodged", queue: slot, port, host }, own, listening.group.has(slot));
    }
    if (listening.group.sockets.length === 0) failListen(listening.server, port, host);
  }

  /** The master has let go of a port because nobody listened. A server that does by now keeps what it has, and the master has it again. */
  #forget({ port, host }: PortOrder): void {
    this.#drop((waiting) => waiting.port === port && waiting.host === host);
    const listening = this.#listening.get(keyOf(port, host));
    if (listening?.group.isOpen !== true) return;
    for (const { queue, handle } of listening.group.sockets) this.#channel.send({ type: "lodged", queue, port, host }, undefined, handle);
    const lock = lockPort(port, this.#assignment.service ?? "");
    if (lock.state === "taken") this.#giveLocks(port, lock.handles);
  }

  #onListen(server: Server, target: Target): HandleGroup | null {
    const beside = [...this.#listening.values()].filter(({ port }) => port === target.port);
    // A second server on the address is the app's mistake. Left to it, Node's cluster says so once, and fails an assertion the next time.
    if (beside.some(({ group, host }) => group.isOpen && overlaps(target, host))) return refusing();
    const past = beside.find(({ host }) => accepts(target, host, isWithoutIpv6));
    if (this.#ended) return new HandleGroup({ name: nameOf(target) });
    return past !== undefined ? this.#reopen(server, target, past) : this.#open(server, target);
  }

  /** A first server on the port: with what is held for this worker, and with a queue of its own where nothing was declared. */
  #open(server: Server, target: Target): HandleGroup | null {
    const { port, backlog } = target;
    const { slot } = this.#assignment;
    const found = this.#waiting.find((each) => each.port === port && accepts(target, each.host, isWithoutIpv6));
    const host = found === undefined ? (target.host ?? null) : found.host;
    const waiting = this.#take(port, host);
    const queues = waiting.map(({ queue }) => queue);
    const own = this.#isShort(port, host, queues) ? bindOwn(port, host, this.#assignment.service) : null;
    if (own === "taken") return refusing();
    if (own === null && waiting.length === 0) return null;
    const group = this.#newGroup(port, host, {
      backlog,
      listened: (errno) => {
        if (own !== null) this.#lodge({ type: "lodged", queue: slot, port, host }, own, errno === 0);
        else if (errno === 0) this.#channel.send({ type: "opened", port, host });
      },
    });
    for (const each of waiting) group.add(each.queue, each.open(), each.isBusy);
    if (own !== null) group.add(slot, own.handle);
    this.#listening.set(keyOf(port, host), { server, port, group, host });
    return group;
  }

  /** The app closed the port and listens again: what it had is asked for once more, and comes over the channel. */
  #reopen(server: Server, { port, backlog }: Target, { group: { name }, host }: Listening): HandleGroup {
    const group = this.#newGroup(port, host, { name, backlog });
    for (const each of this.#take(port, host)) group.add(each.queue, each.open(), each.isBusy);
    const key = keyOf(port, host);
    this.#listening.set(key, { server, port, group, host });
    this.#asked.set(key, (this.#asked.get(key) ?? 0) + 1);
    this.#channel.send({ type: "reopened", port, host });
    return group;
  }

  #newGroup(port: number, host: string | null, options: Partial<GroupOptions>): HandleGroup {
    const group: HandleGroup = new HandleGroup({
      ...options,
      divert: (connection) => this.#spares.offer({ port, host }, connection, group),
      recall: () => this.#spares.recall(group),
      closed: () => this.#channel.send({ type: "shut", port, host }),
    });
    return group;
  }

  /** Whether a server needs a queue of this worker's own beside those that there are. */
  #isShort(port: number, host: string | null, queues: readonly number[]): boolean {
    return !queues.includes(this.#assignment.slot) && (queues.length === 0 || !this.#declared.has(keyOf(port, host)));
  }

  #drop(isDropped: (waiting: Waiting) => boolean): void {
    const dropped = this.#waiting.filter(isDropped);
    this.#waiting = this.#waiting.filter((waiting) => !dropped.includes(waiting));
    for (const each of dropped) each.open().close();
  }

  #take(port: number, host: string | null): readonly Waiting[] {
    const taken = this.#waiting.filter((each) => each.port === port && each.host === host);
    this.#waiting = this.#waiting.filter((each) => !taken.includes(each));
    return taken;
  }

  /** The master keeps the socket and the lock; a copy of the lock here would outlive it. A port that somebody else has is not ours to lock. */
  #lodge(message: ChildToMaster & { readonly type: "lodged" }, { handle, locks }: Own, isListening: boolean): void {
    if (!isListening) for (const each of locks) each.close();
    else {
      this.#channel.send(message, undefined, handle);
      this.#giveLocks(message.port, locks);
    }
  }

  #giveLocks(port: number, locks: readonly TcpHandle[]): void {
    for (const each of locks) this.#channel.send({ type: "locked", port }, () => each.close(), each);
  }
}

/** Where IPv6 is off, all interfaces are those of IPv4. */
function isWithoutIpv6(): boolean {
  const some = bindHandle("::", 0);
  if (typeof some === "number") return true;
  some.close();
  return false;
}

function keyOf(port: number, host: string | null): string {
  return `${port} ${host ?? ""}`;
}

/** Too late for listen() to fail: it has been given up, and somebody else has it now. */
function failListen(server: Server, port: number, host: string | null): void {
  const address = host ?? "::";
  const error = Object.assign(new Error(`listen EADDRINUSE: address already in use ${address}:${port}`), {
    code: "EADDRINUSE",
    errno: ADDRESS_IN_USE,
    syscall: "listen",
    address,
    port,
  });
  server.close();
  process.nextTick(() => server.emit("error", error));
}
