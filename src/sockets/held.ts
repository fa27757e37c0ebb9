// The sockets that the master holds for life: for each declared port one bound socket per queue. It never listens or accepts on them; the
// workers that inherit or adopt them do. What waits in a queue survives every worker. Runs in the master.
import { bindHandle, isSameSocket, type TcpHandle } from "./internals.ts";

export interface HeldSocket {
  readonly queue: number;
  readonly port: number;
  readonly host: string | null;
  readonly handle: TcpHandle;
}

/** A held socket, whether a worker has accepted from it, and whether no worker has bound it. */
export type QueueSocket = HeldSocket & { readonly isBusy: boolean; readonly isDeclared: boolean };

export class HeldSockets {
  readonly #ports: readonly number[];
  readonly #host: string | null;
  readonly #perSlot: boolean;
  #sockets: HeldSocket[] = [];
  readonly #busy: WeakSet<HeldSocket> = new WeakSet();
  readonly #locks: TcpHandle[] = [];
  /** Ports whose sockets somebody else has bound. */
  readonly #activated: Set<number> = new Set();

  /** @param perSlot false: a declared port has one socket for all */
  constructor(ports: readonly number[], host: string | null, perSlot: boolean) {
    this.#ports = ports;
    this.#host = host;
    this.#perSlot = perSlot;
  }

  /**
   * Binds one more queue on every declared port. What workers bind themselves has a queue for each slot even where one would do.
   * @throws Error with `code` and `port`, as a failed listen() has
   */
  open(queue: number): void {
    if (!this.#perSlot && queue > 0) return;
    for (const port of this.#ports) {
      if (this.#activated.has(port)) continue;
      const handle = bindHandle(this.#host, port);
      if (typeof handle === "number") throw bindError(handle, port, this.#host);
      this.#sockets.push({ queue, port, host: this.#host, handle });
    }
  }

  /** Holds a socket that was handed over, in the place of one of its own. */
  activate({ port, host, handle }: Omit<HeldSocket, "queue">): void {
    this.#activated.add(port);
    this.#sockets.push({ queue: 0, port, host, handle });
  }

  /**
   * Holds a socket that a worker bound and lodged, also beside another one of that queue: two lives of a slot may bind theirs in the same moment, and
   * whichever was closed would take the connections with it that wait there.
   * @returns false when that very socket is held already
   */
  lodge(socket: HeldSocket): boolean {
    const { queue, port, host, handle } = socket;
    const beside = this.#sockets.filter((each) => each.queue === queue && each.port === port && each.host === host);
    if (beside.some((each) => isSameSocket(each.handle, handle))) return false;
    this.#sockets.push(socket);
    this.#busy.add(socket);
    return true;
  }

  /**
   * Lets go of a port that a worker had lodged.
   * @returns whether there was something to let go of
   */
  giveUp(port: number, host: string | null): boolean {
    const given = this.#sockets.filter((each) => each.port === port && each.host === host && !this.#isDeclared(each));
    for (const { handle } of given) handle.close();
    this.#sockets = this.#sockets.filter((each) => !given.includes(each));
    return given.length > 0;
  }

  /** The ports that it holds a socket on. */
  get ports(): ReadonlySet<number> {
    return new Set([...this.#ports, ...this.#sockets.map(({ port }) => port)]);
  }

  /** Keeps a lock for the life of this process. */
  keep(handle: TcpHandle): void {
    this.#locks.push(handle);
  }

  /** The sockets of some queues, in the order of the queues. */
  of(queues: readonly number[]): readonly QueueSocket[] {
    const found = queues.flatMap((queue) => this.#sockets.filter((socket) => socket.queue === queue));
    return found.map((socket) => ({ ...socket, isBusy: this.#busy.has(socket), isDeclared: this.#isDeclared(socket) }));
  }

  /** A worker with these queues is ready: it accepts from them. */
  noteBusy(queues: readonly number[]): void {
    for (const socket of this.#sockets) if (queues.includes(socket.queue)) this.#busy.add(socket);
  }

  #isDeclared({ port, host }: HeldSocket): boolean {
    return this.#activated.has(port) || (this.#ports.includes(port) && host === this.#host);
  }

  /** Gives the ports up; what still waits in a queue is refused. */
  close(): void {
    for (const { handle } of this.#sockets) handle.close();
    this.#sockets = [];
  }
}

function bindError(errno: number, port: number, host: string | null): NodeJS.ErrnoException & { port: number } {
  const code = errno === -98 ? "EADDRINUSE" : errno === -13 ? "EACCES" : `errno ${-errno}`;
  return Object.assign(new Error(`bind ${code} ${host ?? "all interfaces"}:${port}`), { code, errno, port, syscall: "bind" });
}
