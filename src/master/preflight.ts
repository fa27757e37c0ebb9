// Before anything is forked: are the ports free? Declared ports are never moved; a taken one is an error that names its holder, and the next port
// that is free, where it can.
import { createServer, isIP } from "node:net";
import { getSystemErrorName } from "node:util";
import type { Config } from "../config/config.ts";
import { ClusterError } from "../errors.ts";
import { bindHandle } from "../sockets/internals.ts";
import { holderOf } from "../system/port-holder.ts";

interface Wanted {
  readonly port: number;
  readonly host: string | null;
  readonly what: string;
  readonly option: string;
}

/**
 * Checks every port of the configuration.
 * @throws ClusterError ERR_PORT_CONFLICT (exit 7), ERR_PORT_PERMISSION or ERR_PORT_ADDRESS (exit 2)
 */
export async function checkPorts(config: Config): Promise<void> {
  const wanted: readonly Wanted[] = [
    ...config.ports.map((port) => ({ port, host: config.host, what: "the app", option: "--port" })),
    // lightship binds all IPv4 interfaces.
    { port: config.probesPort, host: "0.0.0.0", what: "the probes", option: "--probes-port" },
    { port: config.metricsPort, host: config.metricsHost, what: "the metrics", option: "--metrics-port" },
  ];
  const checks = await Promise.allSettled(wanted.filter(({ port }) => port !== 0).map(checkPort));
  // The first in this order, not in time.
  for (const check of checks) if (check.status === "rejected") throw check.reason;
}

/**
 * The error for a port that somebody holds.
 * @param free a port that could be taken instead
 */
export function portConflict(port: number, what: string, option: string, cause?: unknown, free: number | null = null): ClusterError {
  const holder = holderOf(port);
  const by = holder === null ? "another process" : `process ${holder.pid} (${holder.command})`;
  return new ClusterError(
    "ERR_PORT_CONFLICT",
    `port ${port} for ${what} is taken by ${by}: stop it, or choose another port with ${option}${free === null ? "" : ` (${free} is free)`}`,
    {
      name: "ClusterPortConflictError",
      reason: "port-conflict",
      cause,
    },
  );
}

async function checkPort(wanted: Wanted): Promise<void> {
  const { port, host, what, option } = wanted;
  const trouble = await bindTrouble(port, host);
  if (trouble?.code === "EACCES") {
    throw new ClusterError(
      "ERR_PORT_PERMISSION",
      `port ${port} for ${what} needs a privilege that this user does not have: choose a port from 1024 up with ${option}, or grant NET_BIND_SERVICE`,
      { reason: "usage", cause: trouble },
    );
  }
  if (trouble?.code === "EADDRNOTAVAIL" || trouble?.code === "ENOTFOUND") {
    throw new ClusterError(
      "ERR_PORT_ADDRESS",
      `host ${host} for ${what} is not an address of this machine: expected one of its own, or none for all interfaces`,
      {
        reason: "usage",
        cause: trouble,
      },
    );
  }
  // On Linux a bind of all interfaces is refused wherever the port is taken. Elsewhere one address may be taken beside it: all are tried.
  if (trouble === null && process.platform === "linux") return;
  const free = await nextFree(port, host);
  if (trouble !== null || free !== port) throw portConflict(port, what, option, trouble ?? undefined, free);
}

/** The port itself, or the next one that is free. Loaded when it is needed: it takes a tenth of the whole start. */
async function nextFree(port: number, host: string | null): Promise<number> {
  const { detectPort } = await import("detect-port");
  return detectPort(host === null ? port : { port, hostname: host });
}

/** What the system says to a bind of exactly this address, or null. A name takes a look-up; addresses are tried at once. */
async function bindTrouble(port: number, host: string | null): Promise<NodeJS.ErrnoException | null> {
  if (host !== null && isIP(host) === 0) return listenTrouble(port, host);
  const handle = bindHandle(host, port, "alone");
  if (typeof handle !== "number") {
    handle.close();
    return null;
  }
  const code = getSystemErrorName(handle);
  return Object.assign(new Error(`bind ${code} ${host ?? "all interfaces"}:${port}`), { code, errno: handle, syscall: "bind" });
}

function listenTrouble(port: number, host: string): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    // A client that comes in this moment would keep the port busy for as long as it likes.
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => resolve(error));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
