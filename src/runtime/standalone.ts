// What `rollcall/app` does when nobody supervises the process: the same hooks, run by the process's own TERM and INT. Runs in the app's own process.
import { constants } from "node:os";
import { reportFailures, type ShutdownHook } from "./life/hooks.ts";
import type { Link } from "./link.ts";
import { standaloneMessenger } from "./messages/standalone-messenger.ts";

/** A process started by plain `node`: worker 0 of generation 1, ready when it says so to nobody. */
export function standaloneLink(): Link {
  const hooks = new Set<ShutdownHook>();
  const controller = new AbortController();
  let watching = false;
  return {
    role: "worker",
    slot: 0,
    generation: 1,
    get signal() {
      watch();
      return controller.signal;
    },
    takeMessenger: standaloneMessenger,
    ready() {},
    setHealth() {},
    onShutdown(hook) {
      watch();
      hooks.add(hook);
      return () => hooks.delete(hook);
    },
    fail(error) {
      process.nextTick(() => {
        throw error;
      });
    },
  };

  /** Signals are handled only once the app asks to be told of them: without that, Node's own way is best. */
  function watch(): void {
    if (watching) return;
    watching = true;
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void shutDown(signal));
  }

  async function shutDown(signal: "SIGTERM" | "SIGINT"): Promise<void> {
    controller.abort(new Error(`this process received ${signal}`));
    const others = process.listenerCount(signal) > 0;
    await reportFailures(
      "a shutdown hook",
      [...hooks].map(async (hook) => hook()),
    );
    // Where the app listens for the signal as well, ending the process is the app's business.
    if (!others) process.exit(128 + constants.signals[signal]);
  }
}
