// `--port 0`: the system is asked for a free port once, at the start, and from then on that is the declared one: all workers share it, it is in PORT,
// and it is held like any other. Runs in the master, at start only.
import type { Config } from "../config/config.ts";
import { bindHandle } from "../sockets/internals.ts";

export function settlePorts(config: Config): Config {
  if (!config.ports.includes(0)) return config;
  const ports: number[] = [];
  for (const port of config.ports) ports.push(port === 0 ? findFree([...config.ports, ...ports]) : port);
  return { ...config, ports };
}

function findFree(taken: readonly number[]): number {
  const handle = bindHandle(null, 0, "alone");
  // Out of descriptors, say: the real bind fails of it as well, and has the words.
  if (typeof handle === "number") return 0;
  const name: { port?: number } = {};
  handle.getsockname(name);
  // Still bound while another is looked for.
  const port = name.port ?? 0;
  const found = taken.includes(port) ? findFree(taken) : port;
  handle.close();
  return found;
}
