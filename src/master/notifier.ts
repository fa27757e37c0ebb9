// Tells the service manager (systemd) how it goes: ready, reloading, stopping, a status line, and that the event loop turns. Runs in the master.
// Its one rule: whatever becomes of a notification, the service goes on.
import type { Line } from "../log.ts";
import { isWatched, NOTHING_TOLD, notify, type Told } from "../policy/notification.ts";
import type { State } from "../policy/state.ts";
import { loadLibc } from "../system/libc.ts";
import type { Manager } from "../system/service-manager.ts";
import type { World } from "../system/world.ts";

interface Parts {
  readonly manager: Manager;
  readonly world: World;
  readonly write: (line: Line) => void;
  readonly state: () => State;
}

export class Notifier {
  readonly #parts: Parts;
  #told: Told = NOTHING_TOLD;
  #hasStarted = false;
  #hasFailed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Begins to tell. It loads a library, so not before the children are on their way. */
  start(): void {
    if (this.#parts.manager.notifySocket === null) return;
    this.#hasStarted = true;
    this.settled(this.#parts.state());
    if (this.#parts.manager.watchdogMs !== null) this.#feed(this.#parts.manager.watchdogMs / 2);
  }

  settled(state: State): void {
    if (this.#parts.manager.notifySocket === null || !(this.#hasStarted || state.stop !== null)) return;
    // Until it knows all: that the start is over, and that a reload has begun.
    for (;;) {
      const { told, text } = notify(this.#told, state, this.#parts.world.now(), process.hrtime.bigint() / 1_000n);
      this.#told = told;
      if (text === null) return;
      this.#send(text);
    }
  }

  #feed(everyMs: number): void {
    if (isWatched(this.#parts.state())) this.#send("WATCHDOG=1");
    this.#parts.world.startTimer(everyMs, () => this.#feed(everyMs));
  }

  #send(text: string): void {
    try {
      const errno = loadLibc().sendDatagram(this.#parts.manager.notifySocket ?? "", text);
      if (errno !== 0) this.#complain(`errno ${errno}`);
    } catch (error) {
      this.#complain(`${(error as Error).message}; a unit with Type=notify needs it`);
    }
  }

  #complain(why: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#parts.write({ level: "warn", fields: {}, message: `Cannot notify the service manager at NOTIFY_SOCKET: ${why} (said once)` });
  }
}
