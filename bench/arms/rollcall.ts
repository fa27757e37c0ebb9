// Rollcall, built, with each of its strategies; probes, metrics and log as they are by default.
import { fileURLToPath } from "node:url";
import { signal } from "../processes.ts";
import { type Arm, inBench, node } from "./arm.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/rollcall.js", import.meta.url));
const STRATEGIES = ["paired", "per-worker", "shared", "round-robin"] as const;

export const rollcalls: readonly Arm[] = STRATEGIES.map((strategy) => ({
  name: `rollcall ${strategy}`,
  package: null,
  note: `\`--listen ${strategy}\` and \`--port\`, defaults`,
  workers: "processes",
  hasMaster: true,
  commands(options) {
    const flags: Record<string, string | number> = {
      workers: options.workers,
      port: options.port,
      listen: strategy,
      "probes-port": options.probesPort,
      "metrics-port": options.metricsPort,
      ...(options.rebornAfterMs === null ? {} : backoff(options.rebornAfterMs)),
    };
    const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
    return [node([CLI, ...args, inBench("app/server.cjs")], options)];
  },
  reload: (pid) => signal(pid, "SIGHUP"),
  metricsPath: "/metrics",
}));

function backoff(ms: number): Record<string, string | number> {
  return { "backoff-delay": `${ms}ms`, "backoff-limit": `${ms}ms`, "backoff-factor": 1, "backoff-jitter": "0%", "max-restarts": 1_000 };
}
