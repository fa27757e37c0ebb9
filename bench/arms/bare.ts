// Node by itself: one process, node:cluster, and processes that share the port by SO_REUSEPORT.
import { type Arm, inBench, node } from "./arm.ts";

const common = { package: null, reload: null, metricsPath: null } as const;

export const oneProcess: Arm = {
  ...common,
  name: "node",
  note: "one process",
  workers: "one",
  hasMaster: false,
  commands: (options) => [node([inBench("app/server.cjs")], options)],
};

export const cluster: Arm = {
  ...common,
  name: "node:cluster",
  note: "the shortest script: round-robin, `fork()` on `exit`",
  workers: "processes",
  hasMaster: true,
  commands: (options) => [node([inBench("app/cluster.cjs")], options, { REBORN_AFTER_MS: String(options.rebornAfterMs ?? 0) })],
};

export const reusePort: Arm = {
  ...common,
  name: "reusePort",
  note: "processes without a master, `listen({ reusePort: true })`",
  workers: "processes",
  hasMaster: false,
  commands: (options) => Array.from({ length: options.workers }, () => node([inBench("app/reuse-port.cjs")], options)),
};
