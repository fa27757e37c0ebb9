// When this child is ready: it listens, it has loaded, it says so, or its health path answers. Said once, after everything else is installed.
// Runs in a child.
import type { AddressInfo, Server } from "node:net";
import type { Assignment } from "../../messenger/wire.ts";
import type { Channel } from "../border/channel.ts";
import { defaultFunction, mainModule } from "../serving/main-module.ts";
import { schemeOf } from "../traffic/connection.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { probeServer } from "./self-probe.ts";

/** Between two tries of a health path. */
const PROBE_EVERY_MS = 250;

interface Parts {
  readonly assignment: Assignment;
  readonly channel: Channel;
  readonly traffic: Traffic;
  readonly onReady: () => void;
  /** Sends a heartbeat at once. */
  readonly beat: () => void;
}

export interface Readiness {
  readonly announced: boolean;
  /** The app says that it is ready: counts where `ready-when` is `message`. */
  say(): void;
}

export function announceWhenReady(parts: Parts): Readiness {
  const { assignment, channel, traffic, beat } = parts;
  let announced = false;
  const announce = (): void => {
    if (announced) return;
    announced = true;
    // The first words about a ready child are of now: what hangs from here on has not been silent since its boot.
    beat();
    channel.send({ type: "ready" });
    parts.onReady();
  };
  const listening = whenListening(parts);
  const failed = (error: unknown): void => {
    if (!announced) queueMicrotask(() => rethrow(error));
  };
  if (assignment.role === "agent") {
    const loaded = mainModule().then((exports) => defaultFunction(exports)?.());
    loaded.then(() => assignment.readyWhen !== "message" && announce(), failed);
  } else if (assignment.readyWhen === "loaded") {
    mainModule().then(announce, () => {});
  } else if (assignment.readyWhen === "listening") {
    void listening.then(announce);
  } else if (assignment.readyWhen.startsWith("/")) {
    void listening.then((server) => probe(server, assignment.readyWhen));
  }
  return {
    get announced() {
      return announced;
    },
    say() {
      if (assignment.readyWhen === "message") announce();
    },
  };

  function probe(server: Server, path: string, before = ""): void {
    const again = (answer: string): void => {
      if (answer !== before) channel.send({ type: "probed", answer });
      setTimeout(() => probe(server, path, answer), PROBE_EVERY_MS);
    };
    probeServer(server, path, PROBE_EVERY_MS * 4).then(
      (status) => (status >= 200 && status < 300 ? announce() : again(String(status))),
      (error: unknown) => traffic.servers.has(server) && again((error as Error).message),
    );
  }
}

/** Resolves with the first declared server when every declared port (or, without any, one port or path) is listened to. */
function whenListening({ assignment, channel, traffic }: Parts): Promise<Server> {
  const missing = new Set(assignment.ports);
  return new Promise((resolve) => {
    let first: Server | null = null;
    traffic.onListening((server) => {
      const { address, port } = nameOf(server);
      const expected = assignment.ports.length === 0 || (port !== null && assignment.ports.includes(port));
      channel.send({ type: "listening", address, port, expected, scheme: schemeOf(server) });
      if (!expected) return;
      first ??= server;
      if (port !== null) missing.delete(port);
      if (missing.size === 0) resolve(first);
    });
  });
}

function nameOf(server: Server): { readonly address: string; readonly port: number | null } {
  const address = server.address() as AddressInfo | string | null;
  if (address === null) return { address: "?", port: null };
  return typeof address === "string" ? { address, port: null } : { address: address.address, port: address.port };
}

/** A failed agent function is an uncaught exception of the child, not of a promise that nobody holds. */
function rethrow(error: unknown): never {
  throw error;
}
