// One arm, running: started until all of its workers serve, asked who serves, stopped with all that it left.
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import type { Arm, Options } from "./arms/arm.ts";
import { killAll, launch, processesOf, signal, until } from "./processes.ts";
import { askOnce, connect } from "./request.ts";

const BOOT_MS = 60_000;
const STOP_MS = 15_000;

export interface Service {
  readonly arm: Arm;
  readonly options: Options;
  /** The first process: the master, if the arm has one. */
  readonly pid: number;
  /** From the start to the first 200. */
  readonly bootMs: number;
  /** From the start until every worker has answered. */
  readonly allServeMs: number;
  /** Whoever answers: `pid:thread`. */
  workers(): Promise<ReadonlySet<string>>;
  processes(): readonly number[];
  /** Milliseconds that it took. */
  stop(): Promise<number>;
  /** The end of what it printed. */
  output(): string;
}

let started = 0;

export async function startService(arm: Arm, workers: number, folder: string, rebornAfterMs: number | null = null): Promise<Service> {
  const [port, probesPort, metricsPort] = await freePorts();
  const mark = `${arm.name}-${started++}`;
  const options: Options = { workers, port, probesPort, metricsPort, folder: join(folder, mark), rebornAfterMs };
  const file = join(folder, `${mark}.log`.replaceAll(/[^\w.-]/g, "_"));
  const output = openSync(file, "w");
  mkdirSync(options.folder);
  const startedAt = performance.now();
  const pids = arm.commands(options).map((command) => launch(command, mark, output));
  closeSync(output);

  const stop = async (): Promise<number> => {
    const stoppedAt = performance.now();
    for (const pid of pids) signal(pid, "SIGTERM");
    await until("it has ended", () => processesOf(mark).length === 0, STOP_MS).catch(() => {});
    const tookMs = performance.now() - stoppedAt;
    await killAll(mark);
    await until(`port ${port} is free`, () => isFree(port), STOP_MS);
    return tookMs;
  };
  const tail = (): string => readFileSync(file, "utf8").slice(-2_000);
  const whoServes = (): Promise<ReadonlySet<string>> => findWorkers(port, workers);
  try {
    await until("the first 200", async () => (await isServing(port)) || isGone(), BOOT_MS, 2);
    const bootMs = performance.now() - startedAt;
    if (isGone()) throw new Error("it ended by itself");
    await until(`${workers} workers serve`, async () => (await whoServes()).size >= workers, BOOT_MS);
    const allServeMs = performance.now() - startedAt;
    const pid = pids[0] as number;
    return { arm, options, pid, bootMs, allServeMs, workers: whoServes, processes: () => processesOf(mark), stop, output: tail };
  } catch (error) {
    await stop();
    throw new Error(`${arm.name} did not start: ${(error as Error).message}\n${tail()}`, { cause: error });
  }

  function isGone(): boolean {
    return processesOf(mark).length === 0;
  }
}

/**
 * Some at once, again and again until nobody new answers: a strategy may prefer some workers as long as they are idle. Few enough that asking does not
 * take longer than what is waited for.
 */
async function findWorkers(port: number, expected: number): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let tries = 0; tries < 24 && found.size < expected; tries++) {
    const asked = Array.from({ length: 2 * expected }, async () => {
      const connection = connect(port, false);
      try {
        found.add((await connection.ask("/who", 5_000)).body);
      } catch {
        // Whoever does not answer does not serve.
      } finally {
        connection.close();
      }
    });
    await Promise.all(asked);
  }
  return found;
}

async function isServing(port: number): Promise<boolean> {
  const answer = await askOnce(port, "/", 1_000).catch(() => null);
  return answer?.status === 200;
}

async function freePorts(): Promise<readonly [number, number, number]> {
  const servers = await Promise.all([listen(), listen(), listen()]);
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as unknown as readonly [number, number, number];
}

function listen(port = 0): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen({ port, exclusive: true }, () => resolve(server));
  });
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port).catch(() => null);
  await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
  return server !== null;
}
