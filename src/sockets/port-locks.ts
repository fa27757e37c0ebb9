// The locks of ports that workers have bound: held for as long as anybody here may listen there. Runs in the master.
import type { TcpHandle } from "./internals.ts";

export class PortLocks {
  readonly #locks: Map<number, TcpHandle[]> = new Map();

  keep(port: number, handle: TcpHandle): void {
    this.#locks.set(port, [...(this.#locks.get(port) ?? []), handle]);
  }

  /**
   * The port may be another service's from here on.
   * @param left where somebody may still listen: with another address on the port the lock stays
   */
  release(port: number, left: Iterable<{ readonly port: number }>): void {
    if ([...left].some((place) => place.port === port)) return;
    for (const handle of this.#locks.get(port) ?? []) handle.close();
    this.#locks.delete(port);
  }
}
