// Starts a service by start() in the test's own process; the test's end takes it away.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Service, type StartOptions, start } from "../../src/index.ts";
import { freePort } from "./ports.ts";
import { killTree } from "./processes.ts";
import { cleanEnvironment, FIXTURES } from "./service.ts";

export interface Embedded {
  readonly service: Service;
  readonly pid: number;
  readonly port: number;
  readonly metricsPort: number;
  readonly output: () => string;
}

export async function embed(t: TestContext, options: StartOptions): Promise<Embedded> {
  const [port, probesPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  const env = cleanEnvironment({});
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
  const { app = "http.mjs", ...rest } = options;
  const service = start({
    ...{ port, probesPort, metricsPort, settle: 0, control: join(folder, "control.sock"), stdio: "pipe" },
    ...{ app: app.startsWith("/") ? app : FIXTURES + app, drainIdle: "100ms", ...rest },
  });
  let output = "";
  for (const stream of [service.stdout, service.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const pid = service.pid as number;
  let hasEnded = false;
  service.once("exit", () => (hasEnded = true));
  t.after(async () => {
    if (!hasEnded) killTree(pid);
    await service.exited;
    rmSync(folder, { recursive: true, force: true });
  });
  return { service, pid, port, metricsPort, output: () => output };
}
