// What socket activation changes: the ports that were handed over are declared ones, and their sockets are held instead of bound. Runs in the master, at
// start only.
import type { Config } from "../config/config.ts";
import { ClusterError } from "../errors.ts";
import { type ActivatedSocket, openActivated } from "../sockets/activated.ts";
import type { Manager } from "../system/service-manager.ts";
import type { Listening } from "./listening.ts";

export interface Activation {
  /** With the ports of the sockets. */
  readonly config: Config;
  readonly sockets: readonly ActivatedSocket[];
  /** For the log. */
  readonly remarks: readonly string[];
}

/** @throws ClusterError ERR_CONFIG (exit 2) for two sockets on one port */
export function activate(config: Config, manager: Manager): Activation {
  const sockets: ActivatedSocket[] = [];
  const remarks = [...manager.remarks];
  for (const { fd, name } of manager.sockets) {
    const opened = openActivated(fd);
    const called = name === null ? "" : ` (${name})`;
    if (typeof opened === "string") {
      remarks.push(`LISTEN_FDS: descriptor ${fd}${called} is ${opened}; it is left alone`);
      continue;
    }
    if (sockets.some(({ port }) => port === opened.port)) {
      const message = `LISTEN_FDS: descriptor ${fd}${called} is a second socket on port ${opened.port}; expected one for each port: give one ListenStream=, and BindIPv6Only=both for IPv4 and IPv6`;
      throw new ClusterError("ERR_CONFIG", message, { reason: "usage" });
    }
    sockets.push(opened);
  }
  const ports = [...new Set([...sockets.map(({ port }) => port), ...config.ports])];
  return { config: sockets.length === 0 ? config : { ...config, ports }, sockets, remarks };
}

/**
 * One socket on a port that somebody else has bound serves all workers.
 * @throws ClusterError ERR_CONFIG (exit 2) where no socket can be held
 */
export function shareActivated(sockets: readonly ActivatedSocket[], chosen: Listening, listen: Config["listen"]): Listening {
  if (sockets.length === 0) return chosen;
  if (chosen.listening === null) {
    const why = chosen.warning ?? `with --listen ${listen} the master, or Node's cluster, accepts by sockets of its own`;
    throw new ClusterError("ERR_CONFIG", `LISTEN_FDS: the sockets cannot be used: ${why}`, { reason: "usage" });
  }
  return { ...chosen, listening: { perSlot: false, spread: Number.POSITIVE_INFINITY } };
}
