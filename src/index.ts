// The public API of the package `rollcall`. The app's own API is `rollcall/app`.
import type { ConfigFileOptions } from "./config/file-options.ts";

export type { ConfigFileOptions, Duration } from "./config/file-options.ts";

/** What a config file that is code may export: the options, or a function, async or not, that returns them. */
export type ConfigFile = ConfigFileOptions | (() => ConfigFileOptions | Promise<ConfigFileOptions>);

/**
 * Types a config file and changes nothing: `export default defineConfig({ app: "server.ts", workers: "50%" })` in `rollcall.config.ts`.
 * The options are those of `rollcall --help`, in camelCase.
 */
export function defineConfig<File extends ConfigFile>(file: File): File {
  return file;
}
