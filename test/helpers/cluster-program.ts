// A program that calls startCluster() of rollcall/egg, forked by the test as egg-scripts forks it: test/fixtures/programs/egg-cluster.mjs.
import { fork } from "node:child_process";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { logFolder } from "./egg.ts";
import type { Letter } from "./forked.ts";
import { freePort } from "./ports.ts";
import { killTree } from "./processes.ts";
import { cleanEnvironment } from "./service.ts";
import { until } from "./until.ts";

const PROGRAM = fileURLToPath(new URL("../fixtures/programs/egg-cluster.mjs", import.meta.url));

export interface ClusterProgram {
  readonly process: ReturnType<typeof fork>;
  /** What its parent, the test, has heard. */
  readonly letters: readonly Letter[];
  readonly output: () => string;
  readonly metricsPort: number;
  readonly untilLetter: (action: string) => Promise<Letter>;
  readonly exited: Promise<number | null>;
}

export async function startClusterProgram(t: TestContext, options: object, more: Record<string, string> = {}): Promise<ClusterProgram> {
  const logs = logFolder(t);
  const [probesPort, metricsPort] = [await freePort(), await freePort()];
  const rollcall = { control: join(logs, "control.sock"), probesPort, metricsPort, drainIdle: "200ms" };
  const own = { NODE_ENV: "production", EGG_FIXTURE_LOGS: logs, OPTIONS: JSON.stringify({ rollcall, ...options }) };
  const child = fork(PROGRAM, [], { silent: true, env: cleanEnvironment({ ...own, ...more }), execArgv: [] });
  const letters: Letter[] = [];
  let output = "";
  child.on("message", (letter) => letters.push(letter as Letter));
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) killTree(child.pid as number);
    return exited;
  });
  const untilLetter = (action: string): Promise<Letter> =>
    until(`${action} comes`, () => letters.find((letter) => letter.action === action), 60_000).catch((error: Error) => {
      throw new Error(`${error.message}\n${output}`);
    });
  return { process: child, letters, output: () => output, metricsPort, untilLetter, exited };
}
