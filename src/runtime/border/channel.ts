// The child's end of the IPC channel: sends sealed messages, takes the master's orders, and hides both from the app. Runs in a child.
import cluster from "node:cluster";
import { type Handed, openHanded, sealHanded } from "../../messenger/handed.ts";
import { HANDLE_MISSED, HANDLE_TAKEN } from "../../messenger/node-words.ts";
import { type ChildToMaster, type DrainOrder, isSealed, type ListenOrder, openFromMaster, seal } from "../../messenger/wire.ts";
import { type ConnectionHandle, isGoneUnheard, isHandleInFlight, sendPastHandles, type TcpHandle } from "../../sockets/internals.ts";
import { intercept, keepListener } from "./intercept.ts";

const LOOK_MS = 5;
/** How long a lost master goes unnoticed at most where a handle was on its way to it. */
const UNHEARD_MS = 100;

export class Channel {
  readonly #own: number;
  #onDrain: (order: DrainOrder) => void = () => {};
  #onListen: (order: ListenOrder, handle: unknown) => void = () => {};
  #onHanded: (handed: Handed, handle: unknown) => void = () => {};
  #isLetGo = false;
  #watch: NodeJS.Timeout | null = null;
  /** The loss of the channel, in the place of Node. */
  #hasTold = false;

  constructor() {
    intercept((event, [message, handle]) => {
      if (event !== "message" || !isSealed(message)) return false;
      const handed = openHanded(message);
      if (handed !== null) this.#onHanded(handed, handle);
      const order = handed === null ? openFromMaster(message) : null;
      if (order?.type === "drain") this.#onDrain(order);
      else if (order !== null) this.#onListen(order, handle);
      return true;
    });
    // Without a listener Node keeps messages back until one comes; it also keeps an idle agent alive.
    keepListener("message", ignore);
    // In a worker Node's cluster listens as well, for `cluster.worker`.
    this.#own = process.listenerCount("message");
  }

  onDrain(listener: (order: DrainOrder) => void): void {
    this.#onDrain = listener;
  }

  onListen(listener: (order: ListenOrder, handle: unknown) => void): void {
    this.#onListen = listener;
  }

  /** A letter has come with a handle. */
  onHanded(listener: (handed: Handed, handle: unknown) => void): void {
    this.#onHanded = listener;
  }

  /** The master is gone. */
  onLost(listener: () => void): void {
    process.once("disconnect", listener);
  }

  /** Whether the app listens to messages itself, on `process` or on `cluster.worker`. */
  hasAppListeners(): boolean {
    return process.listenerCount("message") > this.#own || (cluster.worker?.listenerCount("message") ?? 0) > 0;
  }

  /** Calls back when the app begins to. */
  onAppListener(listener: () => void): void {
    for (const emitter of [process, cluster.worker] as readonly (NodeJS.EventEmitter | undefined)[])
      emitter?.on("newListener", (event: string | symbol) => event === "message" && listener());
  }

  /** Sends, and never throws: a full or closed channel is the master's trouble, not the app's. */
  send(message: ChildToMaster, done: () => void = ignore, handle?: TcpHandle): void {
    if (!process.connected || process.send === undefined) {
      // A handle of the app's own may be what keeps the loss from being heard.
      this.#tellUnheard();
      return done();
    }
    process.send(seal(message), handle as never, undefined, () => done());
    if (handle !== undefined) this.#watchOver();
  }

  /** Whether no handle is on its way, behind which another one would wait. */
  isFreeForHandles(): boolean {
    return !isHandleInFlight();
  }

  /**
   * Gives a connection away. While another handle is on its way, it keeps it.
   * @param done whether the master has it; called once it does, or will never have it
   */
  giveAway(message: ChildToMaster, connection: ConnectionHandle, done: (isGone: boolean) => void): void {
    if (!this.isFreeForHandles()) return done(false);
    let isSettled = false;
    const settle = (isGone: boolean): void => {
      process.off("internalMessage", onAnswer).off("disconnect", onLost);
      if (!isSettled) done(isGone);
      isSettled = true;
    };
    const onLost = (): void => settle(false);
    const onAnswer = (raw: { readonly cmd?: unknown } | null): void => {
      if (raw?.cmd === HANDLE_TAKEN || raw?.cmd === HANDLE_MISSED) settle(raw.cmd === HANDLE_TAKEN);
    };
    process.on("internalMessage", onAnswer).on("disconnect", onLost);
    this.send(message, () => process.connected || settle(false), connection as unknown as TcpHandle);
  }

  /** Sends a letter with a handle. @throws RangeError for one that is too long */
  hand(handed: Handed, handle: TcpHandle, done: () => void): boolean {
    const sealed = sealHanded(handed);
    if (!process.connected || process.send === undefined) {
      done();
      return false;
    }
    process.send(sealed, handle as never, undefined, () => done());
    this.#watchOver();
    return true;
  }

  /** Sends what must be out before the process ends, in a moment. */
  sendNow(message: ChildToMaster): void {
    sendPastHandles(() => this.send(message));
  }

  /**
   * Resolves when the master has taken what handles were sent. If this process ended before, the master would take the last one and hear nothing of what was
   * said after it: libuv finds the end of the channel there.
   */
  async handlesTaken(): Promise<void> {
    while (process.connected && isHandleInFlight()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  #watchOver(): void {
    this.#watch ??= setInterval(() => {
      if (!isGoneUnheard() && isHandleInFlight()) return;
      clearInterval(this.#watch ?? undefined);
      this.#watch = null;
      this.#tellUnheard();
    }, UNHEARD_MS).unref();
  }

  #tellUnheard(): void {
    if (this.#hasTold || !isGoneUnheard()) return;
    this.#hasTold = true;
    process.emit("disconnect");
  }

  /** Whether it keeps the process alive, for the time being. */
  keepAlive(is: boolean): void {
    if (this.#isLetGo) return;
    if (is) process.channel?.ref();
    else process.channel?.unref();
  }

  /** From here on the process ends by itself when nothing else keeps it. */
  letGo(): void {
    this.keepAlive(false);
    this.#isLetGo = true;
  }

  get isLetGo(): boolean {
    return this.#isLetGo;
  }
}

function ignore(): void {}
