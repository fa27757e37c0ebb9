// The probe server: lightship behind a small port of our own, so that it could be replaced. Answers from two booleans; whatever the app does.
import { createLightship, type Lightship } from "lightship";
import { limitGuests } from "./guests.ts";

export interface Probes {
  readonly port: number;
  show(status: { readonly live: boolean; readonly ready: boolean }): Promise<void>;
  close(): void;
}

/**
 * Opens the probe server on all IPv4 interfaces (lightship binds 0.0.0.0): live, not ready.
 * @param port 0 takes any free port
 * @throws EADDRINUSE and its like
 */
export async function openProbes(port: number): Promise<Probes> {
  let lightship = await start(port);
  const bound = portOf(lightship);
  let shown = { live: true, ready: false };
  let showing: Promise<void> = Promise.resolve();
  return {
    port: bound,
    show(status) {
      // One after the other: a recovery takes a moment, and readiness must not overtake it.
      showing = showing.then(() => apply(status));
      return showing;
    },
    close: () => closeServer(lightship),
  };

  async function apply(status: { readonly live: boolean; readonly ready: boolean }): Promise<void> {
    if (status.live !== shown.live) {
      if (status.live) lightship = await renew(lightship, bound);
      // Its /live turns 500 only through its shutdown(), which there is no way back from.
      else void lightship.shutdown();
      shown = { live: status.live, ready: false };
    }
    if (status.ready === shown.ready || !status.live) return;
    if (status.ready) lightship.signalReady();
    else lightship.signalNotReady();
    shown = status;
  }
}

async function start(port: number): Promise<Lightship> {
  const lightship = await createLightship({
    // Otherwise it ignores its port outside Kubernetes.
    detectKubernetes: false,
    port,
    // Signals, deadlines and the exit are the master's.
    signals: [],
    terminate: () => {},
    shutdownDelay: 0,
    gracefulShutdownTimeout: Number.POSITIVE_INFINITY,
    shutdownHandlerTimeout: Number.POSITIVE_INFINITY,
  });
  // Keeps the server answering after shutdown(): a failed liveness must be told, not refused.
  lightship.registerShutdownHandler(() => new Promise(() => {}));
  limitGuests(lightship.server);
  return lightship;
}

/** A new probe server on the same port, in the place of one that said it was shutting down. */
async function renew(old: Lightship, port: number): Promise<Lightship> {
  const closed = new Promise((resolve) => old.server.once("close", resolve));
  closeServer(old);
  await closed;
  return start(port);
}

function closeServer({ server }: Lightship): void {
  server.close();
  server.closeAllConnections();
}

function portOf({ server }: Lightship): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
