// pm2-runtime, the PM2 for containers, in cluster mode. Its daemon's files go to a folder of its own.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Arm, inBench, node, type Options } from "./arm.ts";

const run = promisify(execFile);

export const pm2: Arm = {
  name: "pm2-runtime",
  package: "pm2",
  note: "`pm2-runtime start`, cluster mode, defaults",
  workers: "processes",
  hasMaster: true,
  commands(options) {
    // A file, because the command line has no delay of restarts.
    const file = join(options.folder, "ecosystem.json");
    const delay = options.rebornAfterMs === null ? {} : { restart_delay: options.rebornAfterMs };
    const app = { name: "bench", script: inBench("app/server.cjs"), exec_mode: "cluster", instances: options.workers, ...delay };
    writeFileSync(file, JSON.stringify({ apps: [app] }));
    const args = [inBench("node_modules/pm2/bin/pm2-runtime"), "start", file];
    return [node(args, options, environment(options))];
  },
  async reload(_, options) {
    await run(process.execPath, [inBench("node_modules/pm2/bin/pm2"), "reload", "all"], {
      env: { ...process.env, ...environment(options) },
    });
  },
  metricsPath: null,
};

function environment(options: Options): Readonly<Record<string, string>> {
  return { PM2_HOME: options.folder, PM2_DISCRETE_MODE: "true" };
}
