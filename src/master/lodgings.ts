// Ports that nobody declared: workers bind them and lodge their sockets here, the neighbours and all successors accept from these as well, and a port
// that the app has left is given up. Runs in the master.
import type { Line } from "../log.ts";
import { findLife, isWhole } from "../policy/select.ts";
import type { State } from "../policy/state.ts";
import type { Children } from "../process/children.ts";
import type { PortMessage } from "../process/hearing.ts";
import type { HeldSockets } from "../sockets/held.ts";
import type { TcpHandle } from "../sockets/internals.ts";
import { PortLocks } from "../sockets/port-locks.ts";
import type { World } from "../system/world.ts";

/** How long nobody may listen on a port before it is given up: an app may close it and listen again, or listen a while after it is ready. */
export const ABANDONED_MS = 5_000;

interface Parts {
  readonly sockets: HeldSockets;
  readonly children: Pick<Children, "tell">;
  readonly world: Pick<World, "startTimer">;
  state(): State;
  write(line: Line): void;
}

interface Place {
  readonly port: number;
  readonly host: string | null;
}

interface Lodging extends Place {
  /** The lives in which the app listens there. */
  readonly openers: Set<number>;
  /** While nobody does. */
  cancelTimer: (() => void) | null;
}

export class Lodgings {
  readonly #parts: Parts;
  readonly #lodgings: Map<string, Lodging> = new Map();
  readonly #locks: PortLocks = new PortLocks();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  onPort(life: number, message: PortMessage, handle: TcpHandle | undefined): void {
    switch (message.type) {
      case "locked":
        if (handle !== undefined) this.#locks.keep(message.port, handle);
        return;
      case "lodged":
        if (handle !== undefined) this.#lodge(life, message, handle);
        return;
      case "opened":
        return this.#open(life, this.#lodgings.get(keyOf(message)));
      case "shut":
        return this.#shut(life, this.#lodgings.get(keyOf(message)));
      case "reopened":
        this.#open(life, this.#lodgings.get(keyOf(message)));
        return this.#offer(life, message);
      default:
        message satisfies never;
    }
  }

  /** A life that listens no longer, on any port. */
  onGone(life: number): void {
    for (const lodging of this.#lodgings.values()) this.#shut(life, lodging);
  }

  /** A worker has bound a socket: who has that queue accepts from it from now on, and successors inherit it. */
  #lodge(life: number, { queue, port, host }: Extract<PortMessage, { type: "lodged" }>, handle: TcpHandle): void {
    const { sockets, children, state } = this.#parts;
    if (state().stop !== null) return handle.close();
    const lodging = this.#lodgings.get(keyOf({ port, host })) ?? { port, host, openers: new Set(), cancelTimer: null };
    this.#lodgings.set(keyOf(lodging), lodging);
    this.#open(life, lodging);
    if (!sockets.lodge({ queue, port, host, handle })) return handle.close();
    for (const slot of state().workers) {
      for (const other of slot.lives) {
        if (other.id !== life && other.queues.includes(queue))
          children.tell(other.id, { type: "adopt", queue, port, host, isBusy: true }, handle);
      }
    }
  }

  /** The app has closed its server on the port and opened it again: its queues once more. */
  #offer(life: number, { port, host }: Place): void {
    const { sockets, children, state } = this.#parts;
    for (const { handle, ...queue } of sockets.of(findLife(state(), life)?.life.queues ?? [])) {
      if (queue.port === port && queue.host === host) children.tell(life, { type: "adopt", ...queue }, handle);
    }
    children.tell(life, { type: "offered", port, host });
  }

  #open(life: number, lodging: Lodging | undefined): void {
    if (lodging === undefined) return;
    lodging.openers.add(life);
    lodging.cancelTimer?.();
    lodging.cancelTimer = null;
  }

  #shut(life: number, lodging: Lodging | undefined): void {
    if (lodging?.openers.delete(life) === true && lodging.openers.size === 0) this.#wait(lodging);
  }

  #wait(lodging: Lodging): void {
    lodging.cancelTimer = this.#parts.world.startTimer(ABANDONED_MS, () => {
      const state = this.#parts.state();
      if (state.stop !== null) return;
      // Who is still to come may want what waits there.
      if (isWhole(state)) this.#giveUp(lodging);
      else this.#wait(lodging);
    });
  }

  /**
   * Whoever has a copy of the sockets must let go of it, or the kernel keeps on accepting for nobody. A worker that has begun to listen in this very
   * moment keeps what it has, and lodges and locks it again.
   */
  #giveUp(lodging: Lodging): void {
    const { sockets, children, state, write } = this.#parts;
    const { port, host } = lodging;
    this.#lodgings.delete(keyOf(lodging));
    write({ level: "warn", fields: { port, host }, message: `no worker listens on port ${port} any more: it is given up` });
    sockets.giveUp(port, host);
    this.#locks.release(port, this.#lodgings.values());
    for (const slot of state().workers) for (const { id } of slot.lives) children.tell(id, { type: "forget", port, host });
  }
}

function keyOf({ port, host }: Place): string {
  return `${host ?? ""} ${port}`;
}
