// The probe server: lightship behind a small port of our own, so that it could be replaced. Answers from two booleans; whatever the app does.
import type { Server } from "node:http";
import { createLightship, type Lightship } from "lightship";
import { limitGuests } from "./guests.ts";

export interface Probes {
  readonly port: number;
  show(status: { readonly live: boolean; readonly ready: boolean }): Promise<void>;
  close(): void;
}

/**
 * Opens the probe server on all interfaces: live, not ready.
 * @param port 0 takes any free port
 * @throws EADDRINUSE and its like
 */
export async function openProbes(port: number): Promise<Probes> {
  let lightship = await start(port);
  const bound = portOf(lightship);
  const beside = await answerOnIpv6(bound, () => lightship.server);
  let shown = { live: true, ready: false };
  let showing: Promise<void> = Promise.resolve();
  return {
    port: bound,
    show(status) {
      // One after the other: a recovery takes a moment, and readiness must not overtake it.
      showing = showing.catch(() => {}).then(() => apply(status));
      return showing;
    },
    close() {
      closeServer(lightship.server);
      if (beside !== null) closeServer(beside);
    },
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
  // It is closed already where the last try did not come to a new one.
  if (old.server.listening) {
    const closed = new Promise((resolve) => old.server.once("close", resolve));
    closeServer(old.server);
    await closed;
  }
  return start(port);
}

/** lightship listens on IPv4 alone, and has no option for it; in a cluster without IPv4 nobody would reach it. Null where there is no IPv6. */
async function answerOnIpv6(port: number, answering: () => Server): Promise<Server | null> {
  const server = process.getBuiltinModule("node:http").createServer();
  limitGuests(server);
  server.on("request", (...asked) => answering().emit("request", ...asked));
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? reject(error) : resolve(null)));
    server.listen({ port, host: "::", ipv6Only: true }, () => resolve(server));
  });
}

function closeServer(server: Server): void {
  server.close();
  server.closeAllConnections();
}

function portOf({ server }: Lightship): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
