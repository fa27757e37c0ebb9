// Starts a master as a child of this process, with a channel to it. Runs in a program that embeds Rollcall, and in `rollcall start --daemon`.
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { type Handed, PARENT_VARIABLE } from "../config/handed.ts";

export interface MasterOptions {
  /** The file of the command `rollcall`. */
  readonly entry: string;
  /** What follows it. */
  readonly argv: readonly string[];
  /** Goes over a descriptor of its own, so that no list of processes shows it. */
  readonly handed: Handed | null;
  /** stdin, stdout, stderr. */
  readonly stdio: readonly ("inherit" | "ignore" | "pipe" | number)[];
  /** A session of its own, which outlives this process and its terminal. */
  readonly detached: boolean;
}

const OPTIONS_FD = 4;

/** A failure to start comes as the child's "error" event. */
export function spawnMaster({ entry, argv, handed, stdio, detached }: MasterOptions): ChildProcess {
  // What cannot be told is said before there is anybody to be told.
  const text = JSON.stringify(handed);
  const all = [...stdio, "ipc", ...(handed === null ? [] : ["pipe"])] as StdioOptions;
  const env = { ...process.env, [PARENT_VARIABLE]: String(handed === null ? 0 : OPTIONS_FD) };
  // What letters carry arrives as what it is: Map, Date, Buffer.
  const child = spawn(process.execPath, [entry, ...argv], { stdio: all, detached, env, serialization: "advanced" });
  const options = child.stdio[OPTIONS_FD] as Writable | null | undefined;
  // A master that is dead already says so by its exit.
  options?.on("error", () => {});
  options?.end(text);
  return child;
}
