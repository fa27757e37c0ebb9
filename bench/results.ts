// What a run leaves: a JSON file with every figure of every round, and where and how they were taken.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import type { Arm } from "./arms/arm.ts";
import { inBench } from "./arms/arm.ts";
import { wrkVersion } from "./wrk.ts";

export interface Measure {
  readonly load: string;
  readonly arm: string;
  readonly round: number;
  readonly values: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  /** Of the machine over the last minute, after the measure. */
  readonly loadAverage: number;
}

export interface Results {
  readonly date: string;
  readonly command: string;
  readonly machine: Readonly<Record<"cpu" | "cpus" | "memory" | "kernel" | "node", string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly options: { readonly seconds: number; readonly rounds: number; readonly workers: number; readonly base: string };
  readonly arms: readonly string[];
  readonly loads: readonly string[];
  /** Arms that did not start, or that answer other bytes than the base. */
  readonly remarks: readonly string[];
  readonly measures: readonly Measure[];
  readonly tookSeconds: number;
}

export function machine(): Results["machine"] {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cpus: String(os.availableParallelism()),
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    kernel: `${os.type()} ${os.release().split("-")[0]}`,
    node: process.version,
  };
}

export function versions(arms: readonly Arm[]): Readonly<Record<string, string>> {
  const found: Record<string, string> = { rollcall: versionIn("../package.json") };
  const commit = git();
  if (commit !== null) found.rollcall += ` (${commit})`;
  for (const arm of arms) if (arm.package !== null) found[arm.package] = versionIn(`node_modules/${arm.package}/package.json`);
  found.wrk = wrkVersion() ?? "missing";
  return found;
}

function versionIn(path: string): string {
  return (JSON.parse(readFileSync(inBench(path), "utf8")) as { version: string }).version;
}

function git(): string | null {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: inBench("."),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return null;
  }
}
