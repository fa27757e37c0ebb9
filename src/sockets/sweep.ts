// Makes room where there is none: while a line is full, and until it is half empty again, looks once a second which of those that wait there have gone. Whoever has left costs a descriptor like
// anybody else, and takes the place of one that comes now. Runs in the master.
import type { World } from "../system/world.ts";
import type { ConnectionHandle } from "./internals.ts";

/** A look costs milliseconds where there are thousands. */
const PAUSE_MS = 1_000;

/** Looks; gives a test of whether the client of a connection has gone. */
export type Look = () => Promise<(handle: ConnectionHandle) => boolean>;

interface Ports {
  readonly look: Look;
  readonly world: Pick<World, "startTimer">;
  isNeeded(): boolean;
  /** Ends those that wait in vain. */
  clear(isGone: (handle: ConnectionHandle) => boolean): void;
}

export class Sweep {
  readonly #ports: Ports;
  #isRunning = false;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#ports.clear(await this.#ports.look());
    this.#ports.world.startTimer(PAUSE_MS, () => {
      if (this.#ports.isNeeded()) void this.#run();
      else this.#isRunning = false;
    });
  }
}
