// What @socket.io/cluster-adapter says with process.send: it counts on a primary that hands it to all other workers, and an answer to the worker that asked.
// The answer names who asked by an id that its receiver has heard, and the master has stamped with a pid: so nobody but the workers looks into it. Runs in a child.

const MARK = "_sio_adapter";
/** One for each namespace of each worker; more than these is what an app with endless namespaces has. */
const MOST_ADAPTERS = 10_000;

export class SocketIo {
  /** Who speaks for which adapter, the last one heard last. */
  readonly #pids: Map<string, number> = new Map();

  /** A message has come from this process. */
  heard(message: unknown, pid: number): void {
    const uid = (message as { uid?: unknown } | null)?.uid;
    if (!isSocketIo(message) || typeof uid !== "string") return;
    this.#pids.delete(uid);
    this.#pids.set(uid, pid);
    if (this.#pids.size > MOST_ADAPTERS) this.#pids.delete(this.#pids.keys().next().value as string);
  }

  /** The pid of the worker that a message is an answer for; 0: it is for all. */
  receiverOf(message: unknown): number {
    return this.#pids.get((message as { requesterUid?: string }).requesterUid ?? "") ?? 0;
  }
}

export function isSocketIo(message: unknown): boolean {
  return (message as { source?: unknown } | null)?.source === MARK;
}
