// Rollcall, built, with each of its strategies; probes, metrics and log as they are by default.
import { fileURLToPath } from "node:url";
import { signal } from "../processes.ts";
import { type Arm, inBench, node } from "./arm.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/rollcall.js", import.meta.url));
const STRATEGIES = ["paired", "per-worker", "shared", "round-robin"] as const;

export const rollcalls: readonly Arm[] = [
  ...STRATEGIES.map((strategy) =>
    arm(strategy, `\`--listen ${strategy}\` and \`--port\`, defaults: more workers than CPUs are scheduled as batch`, { listen: strategy }),
  ),
  arm("inherit", "the same as `paired`, but for `--cpu-scheduling inherit`: workers scheduled like any other process", {
    listen: "paired",
    "cpu-scheduling": "inherit",
  }),
];

function arm(name: string, note: string, set: Readonly<Record<string, string>>): Arm {
  return {
    name: `rollcall ${name}`,
    package: null,
    note,
    workers: "processes",
    hasMaster: true,
    commands(options) {
      const flags: Record<string, string | number> = {
        workers: options.workers,
        port: options.port,
        ...set,
        "probes-port": options.probesPort,
        "metrics-port": options.metricsPort,
        ...(options.rebornAfterMs === null ? {} : backoff(options.rebornAfterMs)),
      };
      const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
      return [node([CLI, ...args, inBench("app/server.cjs")], options)];
    },
    reload: (pid) => signal(pid, "SIGHUP"),
    metricsPath: "/metrics",
  };
}

function backoff(ms: number): Record<string, string | number> {
  return { "backoff-delay": `${ms}ms`, "backoff-limit": `${ms}ms`, "backoff-factor": 1, "backoff-jitter": "0%", "max-restarts": 1_000 };
}
