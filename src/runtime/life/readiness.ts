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
  const { assignment, channel, beat } = parts;
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
    void listening.then(() => probe(assignment.readyWhen));
  }
  return {
    get announced() {
      return announced;
    },
    say() {
      if (assignment.readyWhen === "message") announce();
    },
  };

  function probe(path: string, before = ""): void {
    const again = (answer: string): void => {
      if (answer !== before) channel.send({ type: "probed", answer });
      setTimeout(() => probe(path, answer), PROBE_EVERY_MS).unref();
    };
    const server = serverToAsk(parts);
    if (server === undefined) return again("nobody listens any more");
    probeServer(server, path, PROBE_EVERY_MS * 4).then(
      (status) => (status >= 200 && status < 300 ? announce() : again(String(status))),
      (error: unknown) => again((error as Error).message),
    );
  }
}

/** Resolves when every declared port (or, without any, one port or path) is listened to. */
function whenListening({ assignment, channel, traffic }: Parts): Promise<void> {
  const missing = new Set(assignment.ports);
  return new Promise((resolve) => {
    traffic.onListening((server) => {
      const { address, port } = nameOf(server);
      const expected = isExpected(assignment, port);
      channel.send({ type: "listening", address, port, expected, scheme: schemeOf(server) });
      if (!expected) return;
      if (port !== null) missing.delete(port);
      if (missing.size === 0) resolve();
    });
  });
}

/** The first that listens by now, and rather one of HTTP. Not who was the first of all: that may have looked whether the port is free, and is gone. */
function serverToAsk({ assignment, traffic }: Parts): Server | undefined {
  const servers = [...traffic.servers].filter((server) => server.listening && isExpected(assignment, nameOf(server).port));
  return servers.find((server) => schemeOf(server).startsWith("http")) ?? servers[0];
}

function isExpected({ ports }: Assignment, port: number | null): boolean {
  return ports.length === 0 || (port !== null && ports.includes(port));
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
