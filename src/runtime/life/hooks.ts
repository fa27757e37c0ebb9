// The shutdown hooks of the app: its TERM (or else INT) listeners and onShutdown(). They run once, when the last request is done. Runs in a child.
import type { SignalGuard } from "../border/signal-guard.ts";

export type ShutdownHook = () => unknown;

/** How the hooks left the process: it may be ended, or the app ends it itself. */
export type HooksOutcome = "ended" | "left-to-app";

export class Hooks {
  readonly #guard: SignalGuard;
  readonly #hooks: Set<ShutdownHook> = new Set();
  readonly #controller: AbortController = new AbortController();

  constructor(guard: SignalGuard) {
    this.#guard = guard;
  }

  /** Aborts when the drain begins: for what streams or polls for long. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  add(hook: ShutdownHook): () => void {
    this.#hooks.add(hook);
    return () => this.#hooks.delete(hook);
  }

  announce(): void {
    this.#controller.abort(new Error("Rollcall: this process is draining"));
  }

  /**
   * Runs everything at once and waits for it. A failing hook is printed and does not stop the others. A TERM listener that returned no
   * promise may still be at work (server.close(() => process.exit())): then the app is left to end the process.
   */
  async run(): Promise<HooksOutcome> {
    const own = [...this.#hooks].map(async (hook) => hook());
    const hasListeners = this.#guard.hasAppListeners();
    const returned = hasListeners ? this.#callListeners() : [];
    await Promise.all([reportFailures("a shutdown hook", own), reportFailures("a signal listener of the app", returned)]);
    return hasListeners ? "left-to-app" : "ended";
  }

  #callListeners(): readonly unknown[] {
    try {
      return this.#guard.callAppListeners();
    } catch (error) {
      console.error("Rollcall: a signal listener of the app failed:", error);
      return [];
    }
  }
}

/** Waits for all of them, and prints each failure when it happens: another one may hang. */
export async function reportFailures(who: string, results: readonly unknown[]): Promise<void> {
  await Promise.all(
    results.map(async (result) => {
      try {
        await result;
      } catch (error) {
        console.error(`Rollcall: ${who} failed:`, error);
      }
    }),
  );
}
