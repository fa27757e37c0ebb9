// egg-cluster with the least of a framework: its master, its agent, its workers, without the weight of egg's own app.
import { signal } from "../processes.ts";
import { type Arm, inBench, node } from "./arm.ts";

export const egg: Arm = {
  name: "egg-cluster",
  package: "egg-cluster",
  note: "a minimal framework instead of egg, defaults; one agent beside the workers; reload as its development mode does",
  workers: "processes",
  hasMaster: true,
  commands: (options) => [node([inBench("app/egg.cjs")], options)],
  reload: (pid) => signal(pid, "SIGUSR2"),
  metricsPath: null,
};
