// What is compared: how an arm is started and reloaded. What it has in common with the others is in service.ts.
import { fileURLToPath } from "node:url";
import type { Command } from "../processes.ts";

export interface Options {
  readonly workers: number;
  readonly port: number;
  readonly probesPort: number;
  readonly metricsPort: number;
  /** A folder of its own for whatever it wants to write. */
  readonly folder: string;
  /** Where the arm can be told: a worker that died comes back after this time. Null is the arm's own way. */
  readonly rebornAfterMs: number | null;
}

export interface Arm {
  readonly name: string;
  /** The package whose version the report names; null for Node and Rollcall themselves. */
  readonly package: string | null;
  /** What a reader must know of how it was set. */
  readonly note: string;
  readonly workers: "one" | "processes" | "threads";
  readonly hasMaster: boolean;
  /** One, or all processes of an arm without a master. */
  commands(options: Options): readonly Command[];
  /** Asks for a rolling reload; may return before it is done. Null: it has none. */
  readonly reload: ((pid: number, options: Options) => void | Promise<void>) | null;
  /** Where Prometheus would scrape it. */
  readonly metricsPath: string | null;
}

export function inBench(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

export function node(args: readonly string[], options: Options, env: Readonly<Record<string, string>> = {}): Command {
  return { file: process.execPath, args, env: { PORT: String(options.port), WORKERS: String(options.workers), ...env } };
}
