// pm2-runtime, the PM2 for containers, in cluster mode. Its daemon's files go to a folder of its own.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Arm, inBench, node, type Options } from "./arm.ts";

const run = promisify(execFile);

export const pm2: Arm = {
  name: "pm2-runtime",
  package: "pm2",
  note: "`pm2-runtime start server.cjs -i <n>`, defaults",
  workers: "processes",
  hasMaster: true,
  restarts: true,
  commands(options) {
    const delay = options.rebornAfterMs === null ? [] : ["--restart-delay", String(options.rebornAfterMs)];
    const args = [inBench("node_modules/pm2/bin/pm2-runtime"), "start", inBench("app/server.cjs"), "-i", String(options.workers), ...delay];
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
