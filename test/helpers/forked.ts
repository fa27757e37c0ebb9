// A master as the program that forked it sees it: by Node's own channel, or by the bare bytes of one.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePort } from "./ports.ts";
import { killTree } from "./processes.ts";
import { cleanEnvironment, FIXTURES, ROLLCALL } from "./service.ts";
import { DEADLINE_MS, until } from "./until.ts";

export interface Letter {
  readonly action?: string;
  readonly data?: unknown;
  readonly from?: string;
  readonly to?: string;
  readonly [key: string]: unknown;
}

export interface Forked {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly appPort: number;
  readonly metricsPort: number;
  readonly letters: readonly Letter[];
  readonly output: () => string;
  readonly status: () => Promise<{ readonly agent: SlotFacts | null; readonly workers: readonly SlotFacts[] }>;
  readonly untilLetter: (action: string) => Promise<Letter>;
  readonly exited: Promise<number | null>;
}

interface SlotFacts {
  readonly processes: readonly { readonly pid: number; readonly state: string }[];
}

interface ForkOptions {
  readonly app: string;
  readonly flags?: readonly string[];
  readonly serialization?: "json" | "advanced";
}

/** As a program would: child_process.fork() of the command. */
export async function forkMaster(t: TestContext, options: ForkOptions): Promise<Forked> {
  const { args, appPort, metricsPort } = await prepare(t, options);
  const child = fork(ROLLCALL, args, {
    execArgv: [],
    silent: true,
    env: cleanEnvironment({ ROLLCALL_SETTLE: "0s" }),
    ...(options.serialization === undefined ? {} : { serialization: options.serialization }),
  });
  const forked = watch(t, child, appPort, metricsPort);
  child.on("message", (message) => (forked.letters as Letter[]).push(message as Letter));
  return forked;
}

/** With the other end of the channel as a bare socket, to write what no Node would. */
export async function forkRaw(t: TestContext, options: ForkOptions): Promise<Forked & { readonly channel: Socket }> {
  const { args, appPort, metricsPort } = await prepare(t, options);
  const env = cleanEnvironment({ NODE_CHANNEL_FD: "3", NODE_CHANNEL_SERIALIZATION_MODE: options.serialization ?? "json" });
  const child = spawn(process.execPath, [ROLLCALL, ...args], { stdio: ["ignore", "pipe", "pipe", "pipe"], env });
  const channel = child.stdio[3] as Socket;
  channel.on("error", () => {});
  t.after(() => channel.destroy());
  return { ...watch(t, child, appPort, metricsPort), channel };
}

async function prepare(
  t: TestContext,
  { app, flags = [] }: ForkOptions,
): Promise<{ readonly args: readonly string[]; readonly appPort: number; readonly metricsPort: number }> {
  const [appPort, probesPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const own = ["--probes-port", probesPort, "--metrics-port", metricsPort, "--port", appPort, "--control", join(folder, "control.sock")];
  return { args: [...own.map(String), ...flags, FIXTURES + app], appPort, metricsPort };
}

function watch(t: TestContext, child: ChildProcess, appPort: number, metricsPort: number): Forked {
  const letters: Letter[] = [];
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) killTree(child.pid as number);
    return exited;
  });
  return {
    process: child,
    pid: child.pid as number,
    appPort,
    metricsPort,
    letters,
    exited,
    output: () => output,
    status: async () => (await fetch(`http://127.0.0.1:${metricsPort}/status`)).json() as never,
    untilLetter: (action) =>
      until(`the parent hears ${action}`, () => letters.find((letter) => letter.action === action), DEADLINE_MS * 3).catch(
        (error: Error) => {
          throw new Error(`${error.message}\n${JSON.stringify(letters)}\n${output}`);
        },
      ),
  };
}
