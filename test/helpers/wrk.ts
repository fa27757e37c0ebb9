// Saturating load by wrk, where it is installed: runs until it is stopped, and tells what went wrong.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { kill } from "./processes.ts";

export const hasWrk: boolean = spawnSync("wrk", ["-v"]).error === undefined;

export interface WrkResult {
  readonly requests: number;
  /** connect, read, write and timeout errors together. */
  readonly socketErrors: number;
  readonly badStatuses: number;
  readonly text: string;
}

export interface Wrk {
  stop(): Promise<WrkResult>;
}

/** @param headers such as "connection: close" for one request per connection */
export function startWrk(t: TestContext, url: string, connections: number, headers: readonly string[] = []): Wrk {
  const args = ["-t1", `-c${connections}`, "-d120s", "--timeout", "3s", ...headers.flatMap((header) => ["-H", header]), url];
  const child: ChildProcess = spawn("wrk", args, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => kill(child.pid as number));
  let text = "";
  child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    stop: async () => {
      // It prints its summary when it is interrupted.
      child.kill("SIGINT");
      await ended;
      return parse(text);
    },
  };
}

function parse(text: string): WrkResult {
  const count = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  return {
    requests: count(/(\d+) requests in/),
    socketErrors: errors.reduce((sum, each) => sum + Number(each), 0),
    badStatuses: count(/Non-2xx or 3xx responses: (\d+)/),
    text,
  };
}
