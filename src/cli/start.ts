// `rollcall start --daemon`: the service in the background of a bare machine, in a session of its own. Returns when it is ready, or with its error.
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { constants } from "node:os";
import { dirname, resolve } from "node:path";
import { Service } from "../embedding/service.ts";
import { spawnMaster } from "../embedding/spawn-master.ts";
import { EXIT_CODES } from "../errors.ts";
import { ownFile } from "../package/own-file.ts";
import { flagValueAt } from "./flag-value.ts";
import { fail } from "./report.ts";

const LOG_FILE = "rollcall.log";

interface DaemonArguments {
  readonly logFile: string;
  /** What the service is to have. */
  readonly rest: readonly string[];
}

export async function startDaemon(argv: readonly string[]): Promise<void> {
  const read = readArguments(argv);
  if (typeof read === "string") return fail(read, EXIT_CODES.usage);
  const logFile = resolve(read.logFile);
  let log: number;
  try {
    if (!existsSync(dirname(logFile))) mkdirSync(dirname(logFile));
    log = openSync(logFile, "a");
  } catch (error) {
    return fail(`--log-file: cannot write ${logFile}: ${(error as Error).message}`, EXIT_CODES.usage);
  }
  const child = spawnMaster({
    ...{ entry: ownFile("cli/rollcall", ".js"), argv: ["run", ...read.rest], handed: null },
    ...{ stdio: ["ignore", log, log], detached: true },
  });
  closeSync(log);
  const service = new Service(child);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => void giveUp(service, signal));
  try {
    const { address } = await service.ready;
    console.log(`rollcall: started, pid ${service.pid}${address === null ? "" : `, ${address}`}; log in ${logFile}`);
    service.disconnect();
  } catch (error) {
    const { code } = await service.exited;
    // 0 where somebody has stopped it meanwhile: it never was ready all the same.
    fail((error as Error).message, code || EXIT_CODES.internal);
    if (code !== EXIT_CODES.usage) console.error(`rollcall: its log is in ${logFile}`);
  }
}

/** Whoever no longer waits wants no half-started service either. */
async function giveUp(service: Service, signal: "SIGINT" | "SIGTERM" | "SIGHUP"): Promise<void> {
  console.error(`rollcall: ${signal}: stopping what was being started`);
  await service.stop();
  process.exit(128 + constants.signals[signal]);
}

function readArguments(argv: readonly string[]): DaemonArguments | string {
  const end = argv.indexOf("--");
  const words = end === -1 ? argv : argv.slice(0, end);
  const rest: string[] = [];
  let logFile = LOG_FILE;
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as string;
    const named = flagValueAt(words, index, "--log-file");
    if (named !== null) {
      logFile = named.value;
      index += named.length - 1;
    } else if (word !== "--daemon") rest.push(word);
  }
  if (logFile === "") return "--log-file: expected the path of a file";
  return { logFile, rest: [...rest, ...(end === -1 ? [] : argv.slice(end))] };
}
