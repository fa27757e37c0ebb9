// Ports that cannot be had after all, once the preflight is over: what is said of each, with its holder, and whether the start ends for it.
// Runs in the master.
import type { ClusterError } from "../errors.ts";
import type { Line } from "../log.ts";
import type { Event } from "../policy/events.ts";
import type { HeldSockets } from "../sockets/held.ts";
import { holderOf } from "../system/port-holder.ts";
import type { Loop } from "./loop.ts";
import { portConflict } from "./preflight.ts";

interface Parts {
  readonly sockets: Pick<HeldSockets, "open">;
  readonly loop: Pick<Loop, "state" | "feed">;
  write(line: Line): void;
}

export class Refusals {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Binds a queue of each held port. While the service runs, a queue less is a worker that accepts from its neighbours' queues alone. */
  openQueue(queue: number): void {
    try {
      this.#parts.sockets.open(queue);
    } catch (error) {
      const { code, port } = error as { code: string; port: number };
      // The app listens elsewhere on the port, by a socket of Node's in this process, and needs no queue.
      if (code === "EADDRINUSE" && holderOf(port)?.pid === process.pid) return;
      const isTaken = code === "EADDRINUSE";
      this.#say(error, isTaken ? portConflict(port, "the app", "--port", error) : (error as Error));
      this.#endStart(isTaken ? "port-conflict" : "usage");
    }
  }

  /** A port of the app's that the master itself was to listen on. */
  onConflict(error: Error): void {
    this.#say(error, error);
    this.#endStart("port-conflict");
  }

  /** A port of the master's own: the children that were forked go, and the exit says why. */
  onDesk(error: ClusterError): void {
    const message = `${error.name}: ${error.message}`;
    this.#parts.write({ level: "fatal", fields: { error: error.name, code: error.code }, message });
    this.#parts.loop.feed({ type: "failed", reason: error.reason ?? "internal" });
  }

  /** A port that a worker finds taken at the start is told as one that the master finds so: with its holder. */
  named(event: Event): Event {
    if (event.type !== "faulted" || event.fault.code !== "EADDRINUSE" || event.fault.port === null) return event;
    if (this.#parts.loop.state.phase === "running") return event;
    const { name, message } = portConflict(event.fault.port, "the app", "PORT or --port");
    return { ...event, fault: { ...event.fault, name, message } };
  }

  #say(err: unknown, { name, message }: Error): void {
    this.#parts.write({ level: "error", fields: { err }, message: `${name}: ${message}` });
  }

  #endStart(reason: "port-conflict" | "usage"): void {
    if (this.#parts.loop.state.phase !== "running") this.#parts.loop.feed({ type: "failed", reason });
  }
}
