// Which command? Everything that is no command's name is the app of `run`.
import { offerForOom } from "../system/oom-score.ts";
import { releaseSignals } from "../system/signals.ts";

const COMMANDS = ["run", "start", "status", "reload", "scale", "restart", "drain", "undrain", "stop", "health", "config"] as const;
type Command = (typeof COMMANDS)[number];

export async function main(argv: readonly string[]): Promise<void> {
  const [first] = argv;
  const named: Command = isCommand(first) ? first : "run";
  const rest = isCommand(first) ? argv.slice(1) : argv;
  // What follows `--` belongs to the app.
  const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  const command: Command = named === "start" && !own.includes("--daemon") ? "run" : named;
  const asksHelp = own.includes("--help") || own.includes("-h") || first === "help";
  const asksVersion = own.includes("--version") || own.includes("-v") || first === "version";
  if (command === "run" && !asksHelp && !asksVersion) return (await import("./run.ts")).run(rest);
  releaseSignals();
  // A daemon inherits what its starter has.
  if (command !== "start") offerForOom();
  if (asksHelp) return (await import("./help.ts")).help(first === "help" ? argv[1] : first);
  if (asksVersion) return void console.log((await import("../package/version.ts")).readVersion());
  if (command === "health") return (await import("./health.ts")).health(rest);
  if (command === "config") return (await import("./config.ts")).config(rest);
  if (command === "start") return (await import("./start.ts")).startDaemon(rest);
  if (command === "stop") {
    const { namesPidFile, stopByPidFile } = await import("./stop-by-pid-file.ts");
    if (namesPidFile(own)) return stopByPidFile(own);
  }
  if (command === "status") return (await import("./status.ts")).status(rest);
  if (command !== "run") return (await import("./order.ts")).order(command, rest);
}

function isCommand(word: string | undefined): word is Command {
  return (COMMANDS as readonly (string | undefined)[]).includes(word);
}
