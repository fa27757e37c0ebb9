// `rollcall [run]`: the service in the foreground, the container's ENTRYPOINT.
import { isatty } from "node:tty";
import { takeHanded } from "../config/handed.ts";
import { resolveConfig } from "../config/resolve.ts";
import { EXIT_CODES } from "../errors.ts";
import { prepareLog } from "../log.ts";
import { runService } from "../master/service.ts";
import { type EndingError, sealForParent } from "../messenger/parent.ts";
import { giveWayToInit } from "../system/init.ts";
import { hasKoffi } from "../system/libc.ts";
import { sendToParent } from "../system/parent-channel.ts";
import { takeStopSignals } from "../system/signals.ts";
import { realWorld } from "../system/world.ts";
import { explainFailure, reportProblems } from "./report.ts";

export async function run(argv: readonly string[]): Promise<void> {
  // Nothing runs yet that would have to be stopped: a stop signal ends the start.
  takeStopSignals(() => process.exit(EXIT_CODES.ok));
  const { isOwnParent, handed } = takeHanded(process.env);
  const tellParent = (exitCode: number, error: EndingError): void => {
    if (isOwnParent) sendToParent(sealForParent({ type: "ended", exitCode, error }));
  };
  const resolved = await resolveConfig({ argv, env: process.env, cwd: process.cwd(), isTerminal: isatty(1), handed });
  if (!resolved.ok) {
    const mistyped = (await import("./mistyped.ts")).mistypedCommand(argv);
    const problems = mistyped === null ? resolved.problems : [mistyped];
    reportProblems(problems);
    tellParent(EXIT_CODES.usage, { name: "ClusterError", code: "ERR_CONFIG", message: problems.join("\n") });
    process.exit(EXIT_CODES.usage);
  }
  const { file } = resolved;
  // A PID 1 that has no means to reap orphans lets an installed init be PID 1, and is started again below it.
  if (process.pid === 1 && process.platform === "linux" && !hasKoffi()) giveWayToInit();
  const config = resolved.config.egg === null ? resolved.config : await (await import("../egg/service.ts")).withEgg(resolved.config);
  const log = prepareLog(config);
  try {
    await runService({ config, configFile: file, log, world: realWorld, isOwnParent });
  } catch (error) {
    const { message, fields, exitCode } = explainFailure(error);
    log.write({ level: "fatal", fields, message });
    tellParent(exitCode, { name: named(fields.error), code: typeof fields.code === "string" ? fields.code : null, message });
    await log.end();
    process.exit(exitCode);
  }
}

function named(error: unknown): string {
  return typeof error === "string" ? error : "Error";
}
