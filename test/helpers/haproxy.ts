// haproxy before two replicas, as operators have it: round-robin, health checks on each replica's readiness. Without retries and redispatch,
// which would hide what a replica loses.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePort } from "./ports.ts";
import { kill } from "./processes.ts";
import { until } from "./until.ts";

export const hasHaproxy: boolean = spawnSync("haproxy", ["-v"]).error === undefined;

/** Time between two checks; two failed ones take a replica out, so a drain-delay must be longer than that. */
export const CHECK_MS = 200;

export interface Replica {
  readonly port: number;
  readonly probesPort: number;
}

export interface Haproxy {
  readonly origin: string;
  /** Waits until a replica, by its place in the list, gets requests. */
  untilUp(replica: number): Promise<void>;
  untilDown(replica: number): Promise<void>;
}

const config = (port: number, socket: string, replicas: readonly Replica[], backend: readonly string[]): string => `
global
  stats socket ${socket}
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout check 2s
frontend clients
  bind 127.0.0.1:${port}
  default_backend replicas
backend replicas
  balance roundrobin
${backend.map((line) => `  ${line}`).join("\n")}
  option httpchk GET /ready
  http-check expect status 200
${replicas.map((each, index) => `  server replica${index} 127.0.0.1:${each.port} check port ${each.probesPort} inter ${CHECK_MS}ms fall 2 rise 1`).join("\n")}
`;

/** @param backend more lines for the section of the replicas */
export async function startProxy(t: TestContext, replicas: readonly Replica[], backend: readonly string[] = []): Promise<Haproxy> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-haproxy-"));
  const [port, socket, file] = [await freePort(), join(folder, "stats.sock"), join(folder, "haproxy.cfg")];
  writeFileSync(file, config(port, socket, replicas, backend));
  const child: ChildProcess = spawn("haproxy", ["-db", "-f", file], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise((resolve) => child.once("close", resolve));
  t.after(async () => {
    kill(child.pid as number);
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const untilStatus = async (replica: number, status: string): Promise<void> => {
    await until(`haproxy has replica ${replica} ${status}: ${output}`, async () => (await statusOf(socket, replica)).startsWith(status));
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    untilUp: (replica) => untilStatus(replica, "UP"),
    untilDown: (replica) => untilStatus(replica, "DOWN"),
  };
}

/** The 18th field of the replica's line in haproxy's CSV. */
async function statusOf(socket: string, replica: number): Promise<string> {
  const connection = net.connect(socket);
  let text = "";
  connection.setEncoding("utf8").end("show stat\n");
  for await (const chunk of connection) text += chunk;
  const line = text.split("\n").find((each) => each.startsWith(`replicas,replica${replica},`));
  return line?.split(",")[17] ?? "";
}
