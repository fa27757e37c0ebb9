// All queues of a port in the place of a server's one handle: Node's listen() opens them through it, close(), ref() and unref() reach each of
// them, and queues may come and go while it listens. Runs in a worker, and in the self-test.
import { attachHandle, type ConnectionHandle, giveConnection, looksLikeTcp, type TcpHandle } from "./internals.ts";

/** Node's own default backlog. */
const BACKLOG = 511;

export class HandleGroup {
  readonly #handles: Map<number, TcpHandle> = new Map();
  readonly #busy: Set<number> = new Set();
  readonly #listened: (errno: number) => void;
  readonly #closed: () => void;
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
   */
  constructor({ name = {}, backlog = null, refusal = 0, listened = () => {}, closed = () => {} }: Partial<GroupOptions> = {}) {
    looksLikeTcp(HandleGroup.prototype);
    this.#name = name;
    this.#backlog = backlog;
    this.#refusal = refusal;
    this.#listened = listened;
    this.#closed = closed;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get name(): object {
    return this.#name;
  }

  /** Its handles, by queue. */
  get queues(): ReadonlyMap<number, TcpHandle> {
    return this.#handles;
  }

  /**
   * One queue more. Whatever cannot be taken is closed.
   * @param isBusy others accept from it already: a server that is only opened to see whether the port is free must not take their connections, so
   * accepting begins a turn of the event loop after listen()
   */
  add(queue: number, handle: TcpHandle, isBusy = false): void {
    if (this.#state === "closed" || this.#handles.has(queue)) return handle.close();
    if (isBusy) this.#busy.add(queue);
    if (this.#handles.size === 0) {
      this.#name = {};
      handle.getsockname(this.#name);
    }
    this.#handles.set(queue, handle);
    if (this.#state === "open" && this.#attach(handle) !== 0) this.remove(queue);
  }

  /** A connection that somebody else has accepted for it. */
  give(connection: ConnectionHandle): void {
    giveConnection(this, connection);
  }

  remove(queue: number): void {
    this.#handles.get(queue)?.close();
    this.#handles.delete(queue);
  }

  /** net.Server calls it, once the server is this group's owner. */
  listen(backlog: number): number {
    this.#backlog ??= backlog;
    let errno = this.#refusal;
    for (const [queue, handle] of this.#handles) if (errno === 0 && !this.#busy.has(queue)) errno = this.#attach(handle);
    if (errno === 0) {
      this.#state = "open";
      for (const queue of this.#busy) setImmediate(() => this.#attachLate(queue));
    }
    this.#listened(errno);
    return errno;
  }

  /** net.Server calls this with nothing; its "close" comes after the last connection anyhow. */
  close(callback?: () => void): void {
    const wasOpen = this.#state === "open";
    this.#state = "closed";
    for (const handle of this.#handles.values()) handle.close();
    this.#handles.clear();
    if (wasOpen) this.#closed();
    if (callback !== undefined) setImmediate(callback);
  }

  getsockname(out: object): number {
    Object.assign(out, this.#name);
    return 0;
  }

  get fd(): number {
    const [first] = this.#handles.values();
    return first?.fd ?? -1;
  }

  getAsyncId(): number {
    const [first] = this.#handles.values();
    return first?.getAsyncId() ?? 0;
  }

  ref(): void {
    this.#isRef = true;
    for (const handle of this.#handles.values()) handle.ref();
  }

  unref(): void {
    this.#isRef = false;
    for (const handle of this.#handles.values()) handle.unref();
  }

  hasRef(): boolean {
    return [...this.#handles.values()].some((handle) => handle.hasRef());
  }

  #attachLate(queue: number): void {
    const handle = this.#handles.get(queue);
    if (handle !== undefined && this.#attach(handle) !== 0) this.remove(queue);
  }

  #attach(handle: TcpHandle): number {
    if (!this.#isRef) handle.unref();
    return attachHandle(this, handle, this.#backlog ?? BACKLOG);
  }
}

interface GroupOptions {
  readonly name: object;
  readonly backlog: number | null;
  readonly refusal: number;
  readonly listened: (errno: number) => void;
  readonly closed: () => void;
}
