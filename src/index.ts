// The public API of the package `rollcall`. The app's own API is `rollcall/app`.
import { fileURLToPath } from "node:url";
import type { ConfigFileOptions } from "./config/file-options.ts";
import { Service } from "./embedding/service.ts";
import { spawnMaster } from "./embedding/spawn-master.ts";

export type { ConfigFileOptions, Duration } from "./config/file-options.ts";
export type { Letter, Service, ServiceError, ServiceEvents, ServiceExit } from "./embedding/service.ts";
export type { DeathFacts, ReadyFacts } from "./messenger/parent.ts";

/** What a config file that is code may export: the options, or a function, async or not, that returns them. */
export type ConfigFile = ConfigFileOptions | (() => ConfigFileOptions | Promise<ConfigFileOptions>);

/**
 * Types a config file and changes nothing: `export default defineConfig({ app: "server.ts", workers: "50%" })` in `rollcall.config.ts`.
 * The options are those of `rollcall --help`, in camelCase.
 */
export function defineConfig<File extends ConfigFile>(file: File): File {
  return file;
}

/** The options of `rollcall --help`, in camelCase, and where the service's output goes. */
export interface StartOptions extends ConfigFileOptions {
  /** The path of a config file, for what is not given here. */
  readonly config?: string;
  /** The app's own arguments. */
  readonly appArgs?: readonly string[];
  /** stdout and stderr of the master and its children: this process's own (default), nowhere, or streams of the handle. */
  readonly stdio?: "inherit" | "ignore" | "pipe";
}

const ENTRY: string = fileURLToPath(new URL(`./cli/rollcall${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url));

/**
 * Starts a service as a child of this process: a master, which runs no code of this program's, its agent and its workers. Options that are not given
 * come from the environment, a config file and defaults, as on the command line. The service lives on when this process dies; `stop()` ends it.
 * @returns at once; what keeps the service from starting rejects `ready`
 */
export function start({ appArgs = [], stdio = "inherit", ...options }: StartOptions): Service {
  const child = spawnMaster({
    ...{ entry: ENTRY, argv: ["run"], handed: { options, appArgs }, detached: false },
    stdio: [stdio === "inherit" ? "inherit" : "ignore", stdio, stdio],
  });
  return new Service(child);
}
