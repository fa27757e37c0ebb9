// Keeps TERM, INT, QUIT and HUP from the app: a terminal or an init sends them to everyone, but a child takes its orders from the master alone.
// The app's own TERM listeners stay registered, or those of INT where it has none: the drain calls them once, when the last request is done. Runs in a child.
import { constants } from "node:os";
import { intercept, type KeptListener, keepListener } from "./intercept.ts";

const GUARDED = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const;
type Guarded = (typeof GUARDED)[number];

export class SignalGuard {
  readonly #kept: readonly KeptListener[];
  #onTerm: () => void = () => {};

  constructor() {
    // In this order: Node binds a signal to the process.emit that it finds when the first listener comes.
    intercept((event) => {
      if (event === "SIGTERM") this.#onTerm();
      return isGuarded(event);
    });
    this.#kept = GUARDED.map((signal) => keepListener(signal, ignore));
  }

  /** Each TERM that comes, for whatever reason. */
  onTerm(listener: () => void): void {
    this.#onTerm = listener;
  }

  /** Whether the app has TERM or INT listeners of its own. */
  hasAppListeners(): boolean {
    return appListeners(signalOfApp()).length > 0;
  }

  /**
   * Calls the app's TERM listeners, or else its INT listeners, as Node would, once. From here on the app may raise the signal again on itself, as frameworks do after
   * their own hooks, and end by it.
   * @returns what the listeners returned, for those that are promises
   */
  callAppListeners(): readonly unknown[] {
    this.#letSelfRaise();
    const signal = signalOfApp();
    const listeners = appListeners(signal);
    for (const kept of this.#kept) kept.release();
    try {
      return listeners.map((listener) => listener.call(process, signal, constants.signals[signal]));
    } finally {
      // A second TERM from outside must not cut the app's hooks; one from the app itself passes through the kill below.
      for (const kept of this.#kept) kept.restore();
    }
  }

  #letSelfRaise(): void {
    const kill = process.kill;
    process.kill = (pid: number, signal?: string | number): true => {
      if (
        pid === process.pid &&
        (isGuarded(signal ?? "SIGTERM") || signal === constants.signals.SIGTERM || signal === constants.signals.SIGINT)
      ) {
        for (const kept of this.#kept) kept.release();
      }
      return kill.call(process, pid, signal);
    };
  }
}

function isGuarded(event: unknown): event is Guarded {
  return (GUARDED as readonly unknown[]).includes(event);
}

/** An app that was only ever ended by Ctrl-C has listeners for nothing else. */
function signalOfApp(): "SIGTERM" | "SIGINT" {
  return appListeners("SIGTERM").length === 0 && appListeners("SIGINT").length > 0 ? "SIGINT" : "SIGTERM";
}

function appListeners(signal: "SIGTERM" | "SIGINT"): readonly ((...args: unknown[]) => unknown)[] {
  return process.rawListeners(signal).filter((listener) => listener !== ignore) as ((...args: unknown[]) => unknown)[];
}

function ignore(): void {}
