// The master's signal handlers. Evaluated by the entry file's first statement, before any other import; a handler only enqueues.
// Imports nothing at run time, so that no signal can come before it.
import type { Signal } from "../policy/events.ts";

const HANDLED: readonly Signal[] = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGUSR2"];

let pending: Signal[] = [];
let deliver: ((signal: Signal) => void) | null = null;

function enqueue(signal: string): void {
  if (deliver === null) pending.push(signal as Signal);
  else deliver(signal as Signal);
}

function ignore(): void {}

for (const signal of HANDLED) {
  // A platform without a signal refuses the listener; its absence is no fault.
  try {
    process.on(signal, enqueue);
  } catch {}
}
// Keeps Node's inspector shut in the master; a child is debugged with `node-arg`.
if (process.platform !== "win32") process.on("SIGUSR1", ignore);

/** Before there is a service: a stop signal, one that came already too, goes to the listener; the others wait for `takeSignals`. */
export function takeStopSignals(listener: () => void): void {
  deliver = (signal) => (isStop(signal) ? listener() : void pending.push(signal));
  if (pending.some(isStop)) listener();
}

/** Hands every signal, those that came already first, to the one listener. */
export function takeSignals(listener: (signal: Signal) => void): void {
  deliver = listener;
  const early = pending;
  pending = [];
  for (const signal of early) listener(signal);
}

/** Gives signals back to Node's own ways, for the commands that are no service; a stop signal that came already ends the process. */
export function releaseSignals(): void {
  for (const signal of HANDLED) process.off(signal, enqueue);
  process.off("SIGUSR1", ignore);
  const stop = pending.find(isStop);
  if (stop !== undefined) process.kill(process.pid, stop);
}

function isStop(signal: Signal): boolean {
  return signal === "SIGINT" || signal === "SIGTERM" || signal === "SIGQUIT";
}
