// `rollcall [run]`: the service in the foreground, the container's ENTRYPOINT.
import { isatty } from "node:tty";
import { takeHanded } from "../config/handed.ts";
import { resolveConfig } from "../config/resolve.ts";
import { EXIT_CODES } from "../errors.ts";
import { type EndingError, sealForParent } from "../messenger/parent.ts";
import { sendToParent } from "../system/parent-channel.ts";
import { takeSignals } from "../system/signals.ts";
import { explainFailure, reportProblems } from "./report.ts";

export async function run(argv: readonly string[]): Promise<void> {
  // Nothing runs yet that would have to be stopped: a stop signal ends the start.
  takeSignals((signal) => {
    if (signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGQUIT") process.exit(EXIT_CODES.ok);
  });
  const { isOwnParent, handed } = takeHanded(process.env);
  const tellParent = (exitCode: number, error: EndingError): void => {
    if (isOwnParent) sendToParent(sealForParent({ type: "ended", exitCode, error }));
  };
  const resolved = await resolveConfig({ argv, env: process.env, cwd: process.cwd(), isTerminal: isatty(1), handed });
  if (!resolved.ok) {
    const mistyped = await mistypedCommand(argv);
    const problems = mistyped === null ? resolved.problems : [mistyped];
    reportProblems(problems);
    tellParent(EXIT_CODES.usage, { name: "ClusterError", code: "ERR_CONFIG", message: problems.join("\n") });
    process.exit(EXIT_CODES.usage);
  }
  const { file } = resolved;
  if (process.pid === 1 && process.platform === "linux") await careForOrphans();
  const [{ prepareLog }, { realWorld }, { runService }] = await Promise.all([
    import("../log.ts"),
    import("../system/world.ts"),
    import("../master/service.ts"),
  ]);
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

/** A PID 1 that has no means to reap orphans lets an installed init be PID 1, and is started again below it. */
async function careForOrphans(): Promise<void> {
  const [{ giveWayToInit }, { hasKoffi }] = await Promise.all([import("../system/init.ts"), import("../system/libc.ts")]);
  if (!hasKoffi()) giveWayToInit();
}

/** A word that is no file may have been meant as a command: `rollcall relaod`. */
async function mistypedCommand([first = ""]: readonly string[]): Promise<string | null> {
  if (!/^[a-z]{3,}$/.test(first)) return null;
  const [{ COMMANDS }, { suggest }, { resolveEntry }] = await Promise.all([
    import("../config/commands.ts"),
    import("../config/suggest.ts"),
    import("../config/entry.ts"),
  ]);
  const names = COMMANDS.map(({ name }) => name);
  const meant = suggest(first, names);
  if (meant === null || resolveEntry(first, process.cwd()).ok) return null;
  return `"${first}" is no command and no file; did you mean "${meant}"?`;
}
