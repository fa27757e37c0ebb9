// Saturating load by wrk, where it is installed: runs until it is stopped, and tells what went wrong.
// It takes `Connection: close` to heart; what it had pipelined behind such an answer it forgets.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { HUNG_MS, type LoadClient } from "./clients/client.ts";
import { kill } from "./processes.ts";

export const hasWrk: boolean = spawnSync("wrk", ["-v"]).error === undefined;

const PIPELINED: string = fileURLToPath(new URL("../fixtures/wrk-pipelined.lua", import.meta.url));
const ARGUMENTS: Readonly<Record<"keep-alive" | "new connections" | "pipelined", readonly string[]>> = {
  "keep-alive": [],
  "new connections": ["-H", "connection: close"],
  pipelined: ["-s", PIPELINED],
};

export function startWrk(t: TestContext, url: string, kind: keyof typeof ARGUMENTS, connections: number): LoadClient {
  const args = ["-t1", `-c${connections}`, "-d1h", "--timeout", `${Math.ceil(HUNG_MS / 1_000)}s`, ...ARGUMENTS[kind], url];
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
      const requests = Number(/(\d+) requests in/.exec(text)?.[1] ?? 0);
      const failures = [/Socket errors: connect .*/, /Non-2xx or 3xx responses: .*/].flatMap((pattern) => pattern.exec(text)?.[0] ?? []);
      if (requests === 0) failures.push(`no summary: ${text}`);
      return { client: `wrk, ${kind}`, requests, failures, slowestMs: null };
    },
  };
}
