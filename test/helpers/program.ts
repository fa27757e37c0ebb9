// Starts any program, not Rollcall, in a session of its own, with a port in APP_PORT, and watches it from outside; the test's end takes its process tree away.
import { type ChildProcess, spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { freePort } from "./ports.ts";
import { killTree } from "./processes.ts";
import { cleanEnvironment, type Service } from "./service.ts";
import { DEADLINE_MS } from "./until.ts";

export type Program = Pick<Service, "process" | "pid" | "url" | "output" | "exited">;

interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: none. */
  readonly stdin?: "pipe";
}

export async function startProgram(t: TestContext, command: readonly string[], options: Options = {}): Promise<Program> {
  const port = await freePort();
  const child: ChildProcess = spawn(command[0] as string, command.slice(1), {
    stdio: [options.stdin ?? "ignore", "pipe", "pipe"],
    cwd: options.cwd ?? process.cwd(),
    detached: true,
    env: cleanEnvironment({ APP_PORT: String(port), ...options.env }),
  });
  const pid = child.pid as number;
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("exit", (code, signal) => resolve({ code, signal })),
  );
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) killTree(pid);
    return ended;
  });
  return {
    process: child,
    pid,
    url: (path) => `http://127.0.0.1:${port}${path}`,
    output: () => output,
    exited: async (deadlineMs = DEADLINE_MS) => {
      const startedAt = performance.now();
      const timeout = AbortSignal.timeout(deadlineMs);
      const late = new Promise<never>((_, reject) =>
        timeout.addEventListener("abort", () => reject(new Error(`it did not exit within ${deadlineMs} ms:\n${output}`)), { once: true }),
      );
      return { ...(await Promise.race([ended, late])), afterMs: performance.now() - startedAt };
    },
  };
}
