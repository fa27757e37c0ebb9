// Node reads a child's channel in the master and trusts it: bytes that are no JSON, an answer to a handle that nobody sent, or a forged order of
// node:cluster throw in there, as an error of the master's own. Here they end the channel of the child that sent them. Runs in the master.
import type { ChildProcess } from "node:child_process";

interface Handle {
  onread: (...args: unknown[]) => unknown;
  buffering: boolean;
}

/** Watches a child that was just started. @param onBroken told once, when the channel has been given up */
export function guardChannel(child: ChildProcess, onBroken: (error: Error) => void): void {
  const handle = channelHandle(child);
  let isBroken = false;
  const guarded = <R>(act: () => R): R | undefined => {
    // What follows what was not understood is not understood either.
    if (isBroken) return undefined;
    try {
      return act();
    } catch (cause) {
      isBroken = true;
      const why = cause instanceof Error ? cause.message : String(cause);
      onBroken(new Error(`expected messages of Node's on its channel, got what Node cannot read (${why}): closing the channel`, { cause }));
      // Else Node would wait for the rest of the message that it takes this for.
      if (handle !== null) handle.buffering = false;
      if (child.connected) child.disconnect();
      return undefined;
    }
  };
  if (handle !== null) {
    const { onread } = handle;
    handle.onread = function (this: unknown, ...args: unknown[]) {
      return guarded(() => Reflect.apply(onread, this, args));
    };
  }
  const emit = child.emit as (event: string | symbol, ...args: unknown[]) => boolean;
  child.emit = ((event: string | symbol, ...args: unknown[]): boolean =>
    event === "internalMessage"
      ? (guarded(() => emit.call(child, event, ...args)) ?? false)
      : emit.call(child, event, ...args)) as typeof child.emit;
}

/** Node's own end of the channel, which it keeps behind a symbol; null where it is not found, and nothing but what is sent as a message is guarded. */
function channelHandle(child: ChildProcess): Handle | null {
  for (const key of Object.getOwnPropertySymbols(child)) {
    const value = (child as unknown as Record<symbol, { onread?: unknown } | null | undefined>)[key];
    if (typeof value === "object" && typeof value?.onread === "function") return value as Handle;
  }
  return null;
}
