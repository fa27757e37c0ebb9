// kill -9 of one worker under load: what fails beyond the connections that it owned, and does anybody hang?
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { signal } from "../processes.ts";
import { type Load, metric } from "./load.ts";

const run = promisify(execFile);
const CLIENTS = 32;
const AFTER_MS = 3_500;

export const kill: Load = {
  name: "kill",
  title: "kill -9 of a worker under load",
  how: `${CLIENTS} clients, half on kept connections; owned is what \`ss\` says the worker held, stopped just before the KILL; hung is no answer within 3 s`,
  metrics: [
    metric("errors", "failed requests"),
    metric("owned", "connections owned"),
    metric("beyond", "failed beyond owned"),
    metric("hung", "hung"),
    metric("slowest", "slowest, ms"),
  ],
  isFor: (arm) => arm.workers === "processes",
  onShared: false,
  async run({ start, clients: startClients, problem }) {
    const service = await start();
    const [victim] = await service.workers();
    const pid = Number(victim?.split(":")[0]);
    const clients = startClients(service.options.port, CLIENTS, 0.5);
    await sleep(1_000);
    signal(pid, "SIGSTOP");
    const owned = await connectionsOf(pid, service.options.port);
    signal(pid, "SIGKILL");
    await sleep(AFTER_MS);
    const { lost, hung, failures, slowestMs } = await clients.stop();
    for (const [what, times] of failures) problem(`${times} × ${what}`);
    return { errors: lost, owned, beyond: Math.max(0, lost - owned), hung, slowest: slowestMs };
  },
};

async function connectionsOf(pid: number, port: number): Promise<number> {
  const { stdout } = await run("ss", ["-Htnp", "sport", "=", `:${port}`]);
  return stdout.split("\n").filter((line) => line.includes(`pid=${pid},`)).length;
}
