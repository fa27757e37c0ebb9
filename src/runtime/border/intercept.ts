// One wrap of process.emit for all that the app must not see: Rollcall's own messages and the stop signals of a group. Runs in a child.
// Signals and messages are bound to process.emit when their first listener comes, so the wrap stands before any.

/** @returns true when the event was taken and the app's listeners must not run */
export type Interceptor = (event: string | symbol, args: readonly unknown[]) => boolean;

const interceptors: Interceptor[] = [];
let wrapped = false;

export function intercept(interceptor: Interceptor): void {
  interceptors.push(interceptor);
  if (wrapped) return;
  wrapped = true;
  const emit = process.emit as (this: NodeJS.Process, event: string | symbol, ...args: unknown[]) => boolean;
  (process as { emit: unknown }).emit = function (this: NodeJS.Process, event: string | symbol, ...args: unknown[]): boolean {
    for (const take of interceptors) if (take(event, args)) return true;
    return emit.call(this, event, ...args);
  };
}

export interface KeptListener {
  release(): void;
  restore(): void;
}

/** Keeps a listener on `process` for good: removeAllListeners() by the app puts it back. */
export function keepListener(event: string, listener: () => void): KeptListener {
  let held = true;
  const restore = () => {
    held = true;
    if (!process.listeners(event as "SIGTERM").includes(listener)) process.on(event, listener);
  };
  restore();
  process.on("removeListener", (removed: string | symbol, which: unknown) => {
    if (held && removed === event && which === listener) restore();
  });
  return {
    release() {
      held = false;
      process.off(event, listener);
    },
    restore,
  };
}
