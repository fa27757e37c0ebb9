// Before anything is forked: are the ports free? Declared ports are never moved; a taken one is an error that names its holder where it can.
import { createServer } from "node:net";
import { detectPort } from "detect-port";
import type { Config } from "../config/config.ts";
import { ClusterError } from "../errors.ts";
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
  for (const one of wanted) if (one.port !== 0) await checkPort(one);
}

/** The error for a port that somebody holds. */
export function portConflict(port: number, what: string, option: string, cause?: unknown): ClusterError {
  const holder = holderOf(port);
  const by = holder === null ? "another process" : `process ${holder.pid} (${holder.command})`;
  return new ClusterError(
    "ERR_PORT_CONFLICT",
    `port ${port} for ${what} is taken by ${by}: stop it, or choose another port with ${option}`,
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
  // detect-port looks at every interface, where one bind sees only its own address; it answers with the next free port.
  const free = await detectPort(host === null ? port : { port, hostname: host });
  if (trouble !== null || free !== port) throw portConflict(port, what, option, trouble ?? undefined);
}

/** What the system says to a bind of exactly this address, or null. */
function bindTrouble(port: number, host: string | null): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    // A client that comes in this moment would keep the port busy for as long as it likes.
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => resolve(error));
    server.listen({ port, ...(host === null ? {} : { host }), exclusive: true }, () => server.close(() => resolve(null)));
  });
}
