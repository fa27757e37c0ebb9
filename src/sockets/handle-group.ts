// All queues of a port in the place of a server's one handle: Node's listen() opens them through it, close(), ref() and unref() reach each of
// them, and queues may come and go while it listens. Runs in a worker, and in the self-test.
import { AsyncLocalStorage } from "node:async_hooks";
import { attachHandle, type ConnectionHandle, giveConnection, isSameSocket, looksLikeTcp, type TcpHandle } from "./internals.ts";

/** Node's own default backlog. */
const BACKLOG = 511;

/** A queue has more than one socket where two lives of a slot have bound one in the same moment. */
interface Socket {
  readonly queue: number;
  readonly handle: TcpHandle;
  readonly isBusy: boolean;
}

export class HandleGroup {
  #sockets: readonly Socket[] = [];
  readonly #listened: (errno: number) => void;
  readonly #closed: () => void;
  readonly #divert: (connection: ConnectionHandle) => boolean;
  readonly #recall: () => void;
  /** Where a connection that somebody else decides about begins: in no request's context. */
  readonly #inContext: <Result>(run: () => Result) => Result = AsyncLocalStorage.snapshot();
  readonly #refusal: number;
  #name: object;
  #backlog: number | null;
  #state: "new" | "open" | "closed" = "new";
  #isRef = true;

  /**
   * @param name what getsockname() says while there is no handle
   * @param backlog null: what listen() is called with
   * @param refusal a negative errno that listen() fails with
   * @param listened is called with 0 once it listens, or with the errno for which it does not
   * @param closed is called once it listens no longer
   * @param divert whether a connection that was accepted goes elsewhere for now, perhaps to come back by give()
   * @param recall is called before it closes: what was diverted comes back at once, or never
   */
  constructor({ name = {}, backlog = null, refusal = 0, ...options }: Partial<GroupOptions> = {}) {
    const { listened = () => {}, closed = () => {}, divert = () => false, recall = () => {} } = options;
    looksLikeTcp(HandleGroup.prototype);
    this.#name = name;
    this.#backlog = backlog;
    this.#refusal = refusal;
    this.#listened = listened;
    this.#closed = closed;
    this.#divert = divert;
    this.#recall = recall;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get name(): object {
    return this.#name;
  }

  get sockets(): readonly Socket[] {
    return this.#sockets;
  }

  /** Whether it has a socket of that queue. */
  has(queue: number): boolean {
    return this.#sockets.some((socket) => socket.queue === queue);
  }

  /**
   * One socket more. Whatever cannot be taken is closed.
   * @param isBusy others accept from it already: a server that is only opened to see whether the port is free must not take their connections, so
   * accepting begins a turn of the event loop after listen()
   */
  add(queue: number, handle: TcpHandle, isBusy = false): void {
    const isKnown = this.#sockets.some((socket) => socket.queue === queue && isSameSocket(socket.handle, handle));
    if (this.#state === "closed" || isKnown) return handle.close();
    if (this.#sockets.length === 0) {
      this.#name = {};
      handle.getsockname(this.#name);
    }
    const socket = { queue, handle, isBusy };
    this.#sockets = [...this.#sockets, socket];
    if (this.#state === "open") this.#attachOrDrop(socket);
  }

  /** A connection that somebody else has accepted for it. */
  give(connection: ConnectionHandle): void {
    this.#inContext(() => giveConnection(this, connection));
  }

  remove(queue: number): void {
    this.#drop((socket) => socket.queue === queue);
  }

  /** net.Server calls it, once the server is this group's owner. */
  listen(backlog: number): number {
    this.#backlog ??= backlog;
    let errno = this.#refusal;
    for (const { handle, isBusy } of this.#sockets) if (errno === 0 && !isBusy) errno = this.#attach(handle);
    if (errno === 0) {
      this.#state = "open";
      const late = this.#sockets.filter(({ isBusy }) => isBusy);
      setImmediate(() => {
        for (const socket of late) if (this.#sockets.includes(socket)) this.#attachOrDrop(socket);
      });
    }
    this.#listened(errno);
    return errno;
  }

  /** net.Server calls this with nothing; its "close" comes after the last connection anyhow. */
  close(callback?: () => void): void {
    const wasOpen = this.#state === "open";
    if (wasOpen) this.#recall();
    this.#state = "closed";
    this.#drop(() => true);
    if (wasOpen) this.#closed();
    if (callback !== undefined) setImmediate(callback);
  }

  getsockname(out: object): number {
    Object.assign(out, this.#name);
    return 0;
  }

  get fd(): number {
    return this.#sockets[0]?.handle.fd ?? -1;
  }

  getAsyncId(): number {
    return this.#sockets[0]?.handle.getAsyncId() ?? 0;
  }

  ref(): void {
    this.#isRef = true;
    for (const { handle } of this.#sockets) handle.ref();
  }

  unref(): void {
    this.#isRef = false;
    for (const { handle } of this.#sockets) handle.unref();
  }

  hasRef(): boolean {
    return this.#sockets.some(({ handle }) => handle.hasRef());
  }

  #attachOrDrop(socket: Socket): void {
    if (this.#attach(socket.handle) !== 0) this.#drop((each) => each === socket);
  }

  #drop(isDropped: (socket: Socket) => boolean): void {
    const dropped = this.#sockets.filter(isDropped);
    this.#sockets = this.#sockets.filter((socket) => !dropped.includes(socket));
    for (const { handle } of dropped) handle.close();
  }

  #attach(handle: TcpHandle): number {
    if (!this.#isRef) handle.unref();
    return attachHandle(this, handle, this.#backlog ?? BACKLOG, this.#divert);
  }
}

export interface GroupOptions {
  readonly name: object;
  readonly backlog: number | null;
  readonly refusal: number;
  readonly listened: (errno: number) => void;
  readonly closed: () => void;
  readonly divert: (connection: ConnectionHandle) => boolean;
  readonly recall: () => void;
}
