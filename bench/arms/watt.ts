// Watt: worker threads of one process, each with SO_REUSEPORT.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Arm, inBench, node } from "./arm.ts";

const run = promisify(execFile);
const CLI = "node_modules/wattpm/bin/cli.js";

export const watt: Arm = {
  name: "watt",
  package: "wattpm",
  note: "`wattpm start`: metrics off as in its vendor's benchmarks, health checks as by default, management socket on because its reload needs it, log level warn",
  workers: "threads",
  hasMaster: true,
  commands: (options) => [node([inBench(CLI), "start", inBench("app")], options)],
  async reload(pid) {
    await run(process.execPath, [inBench(CLI), "restart", String(pid)]);
  },
  metricsPath: null,
};
