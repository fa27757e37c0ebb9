// Starts a real Rollcall on real ports and watches it from outside; the test's end takes its whole process tree away.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Snapshot } from "../../src/policy/snapshot.ts";
import { freePort } from "./ports.ts";
import { killTree } from "./processes.ts";
import { DEADLINE_MS, until } from "./until.ts";

/** The sources as they are, or with TEST_BUILT=1 what is published, which starts in a third of the time: first `npm run build`. */
const CLI = process.env.TEST_BUILT === "1" ? "dist/cli/rollcall.js" : "src/cli/rollcall.ts";
export const ROLLCALL: string = fileURLToPath(new URL(`../../${CLI}`, import.meta.url));
export const FIXTURES: string = fileURLToPath(new URL("../fixtures/apps/", import.meta.url));

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface ServiceOptions {
  /** The app: a file in test/fixtures/apps, or an absolute path; null where the flags bring one. */
  readonly app: string | null;
  readonly agent?: string;
  readonly workers?: number | string;
  /** The path of the control socket, or "off"; null leaves the place to the service. Default: a folder of the test's own. */
  readonly control?: string | null;
  /** More flags of Rollcall's. */
  readonly flags?: readonly string[];
  /** What follows `--`. */
  readonly appArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: none. */
  readonly stdin?: "pipe";
  /** Descriptors that it inherits, from 3 on. */
  readonly descriptors?: readonly number[];
  /** Whether the app's port is declared by --port (else the app finds it in APP_PORT only). Default true. */
  readonly declared?: boolean;
  /** Put before the master: ["unshare", "--pid", "--fork", "--mount-proc"], ["tini", "-g", "--"]. */
  readonly wrapper?: readonly string[];
  readonly detached?: boolean;
  /** Ports of a service that ran before, to be had again: the app's, the probes' and the metrics'. */
  readonly ports?: readonly [number, number, number];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** From the moment that the wait was asked for to the exit. */
  readonly afterMs: number;
}

export interface Service {
  readonly process: ChildProcess;
  /** The pid of what was spawned: the master, or the wrapper before it. */
  readonly pid: number;
  readonly appPort: number;
  readonly probesPort: number;
  readonly metricsPort: number;
  /** The path of its control socket. */
  readonly control: string;
  readonly output: () => string;
  /** stdout lines that are the master's JSON log. */
  readonly log: () => readonly LogLine[];
  readonly hasLogged: (pattern: RegExp) => boolean;
  readonly url: (path: string) => string;
  readonly status: () => Promise<Snapshot & { readonly pid: number; readonly addresses: readonly string[] }>;
  readonly probe: (name: "live" | "ready" | "health") => Promise<number>;
  readonly metrics: () => Promise<string>;
  /** One sample, such as `rollcall_ready` or `rollcall_process_exits_total{role="worker",outcome="crash"}`. */
  readonly metric: (name: string) => Promise<number>;
  readonly untilReady: () => Promise<void>;
  readonly workerPids: () => Promise<readonly number[]>;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly exited: (deadlineMs?: number) => Promise<Exit>;
}

/** Starts and returns at once; `untilReady()` waits. */
export async function startService(t: TestContext, options: ServiceOptions): Promise<Service> {
  const [appPort, probesPort, metricsPort] = options.ports ?? [await freePort(), await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "rc-"));
  chmodSync(folder, 0o777);
  const control = options.control ?? join(folder, "control.sock");
  const fixture = (name: string): string => (name.startsWith("/") ? name : FIXTURES + name);
  const command = [
    ...(options.wrapper ?? []),
    process.execPath,
    ROLLCALL,
    ...["--probes-port", String(probesPort), "--metrics-port", String(metricsPort)],
    ...(options.control === null ? [] : ["--control", control]),
    ...(options.workers === undefined ? [] : ["--workers", String(options.workers)]),
    ...(options.agent === undefined ? [] : ["--agent", fixture(options.agent)]),
    ...(options.declared === false ? [] : ["--port", String(appPort)]),
    ...(options.flags ?? []),
    ...(options.app === null ? [] : [fixture(options.app)]),
    ...(options.appArgs === undefined ? [] : ["--", ...options.appArgs]),
  ];
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: [options.stdin ?? "ignore", "pipe", "pipe", ...(options.descriptors ?? [])],
    cwd: options.cwd ?? process.cwd(),
    detached: options.detached ?? false,
    // A trial of 3 s in each reload is for the tests that are about it.
    env: cleanEnvironment({ APP_PORT: String(appPort), ROLLCALL_SETTLE: "0s", ...options.env }),
  });
  const pid = child.pid as number;
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal })),
  );
  t.after(() => {
    if (child.exitCode === null && child.signalCode === null) killTree(pid);
    return ended.finally(() => rmSync(folder, { recursive: true, force: true }));
  });

  // On a connection of its own: one that is kept may be closed by the other side in the moment that it is used again.
  const get = (port: number, path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" }, signal: AbortSignal.timeout(DEADLINE_MS) });
  const service: Service = {
    process: child,
    pid,
    appPort,
    probesPort,
    metricsPort,
    control,
    output: () => output,
    log: () => parseLog(output),
    hasLogged: (pattern) => parseLog(output).some((line) => pattern.test(line.msg)),
    url: (path) => `http://127.0.0.1:${appPort}${path}`,
    status: async () => (await get(metricsPort, "/status")).json() as Promise<Snapshot & { pid: number; addresses: string[] }>,
    probe: async (name) => (await get(probesPort, `/${name}`)).status,
    metrics: async () => (await get(metricsPort, "/metrics")).text(),
    metric: async (name) => readMetric(await (await get(metricsPort, "/metrics")).text(), name),
    untilReady: async () => {
      const ready = until("the service is ready", async () => (await service.probe("ready")) === 200, DEADLINE_MS * 2).then(() =>
        // The metrics port opens after the probes'.
        until("its metrics port answers", () => service.status()),
      );
      const early = ended.then(({ code }) => {
        throw new Error(`it exited with code ${code} before it was ready`);
      });
      await Promise.race([ready, early]).catch((error: Error) => {
        throw new Error(`${error.message}\n${output}`);
      });
    },
    workerPids: async () =>
      (await service.status()).workers.flatMap((slot) =>
        slot.processes.filter((each) => each.state === "ready").map((each) => each.pid as number),
      ),
    signal: (signal) => void process.kill(pid, signal),
    exited: async (deadlineMs = DEADLINE_MS) => {
      const startedAt = performance.now();
      const timeout = AbortSignal.timeout(deadlineMs);
      const late = new Promise<never>((_, reject) =>
        timeout.addEventListener("abort", () => reject(new Error(`it did not exit within ${deadlineMs} ms:\n${output}`)), { once: true }),
      );
      return { ...(await Promise.race([ended, late])), afterMs: performance.now() - startedAt };
    },
  };
  return service;
}

/** Runs `rollcall` with exactly these arguments to its end: for commands and bad input. */
export async function runRollcall(
  t: TestContext,
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string; readonly uid?: number } = {},
): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [ROLLCALL, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: options.cwd ?? process.cwd(),
    env: cleanEnvironment(options.env ?? {}),
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const timer = setTimeout(() => killTree(child.pid as number), DEADLINE_MS * 2);
  t.after(() => clearTimeout(timer));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once("close", (...ended) => resolve(ended)),
  );
  clearTimeout(timer);
  return { code, signal, stdout, stderr, afterMs: performance.now() - startedAt };
}

/** What Node compiles is kept between the starts of a suite: half of a start's processor time. Each user has their own: the tests run some as another. */
const COMPILE_CACHE: string = join(tmpdir(), `rollcall-compiled-${process.version}-${process.getuid?.() ?? 0}`);

/** The test's own environment must not configure the service under test. */
export function cleanEnvironment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of Object.keys(env))
    if (/^(ROLLCALL_|PORT$|NODE_TEST|NODE_OPTIONS$|NODE_COMPILE_CACHE$|NODE_UNIQUE_ID$|KUBERNETES_)/.test(name)) delete env[name];
  return { NODE_COMPILE_CACHE: COMPILE_CACHE, ...env, ...more };
}

function parseLog(output: string): readonly LogLine[] {
  return output.split("\n").flatMap((line) => {
    if (!line.startsWith('{"level":')) return [];
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return [];
    }
  });
}

function readMetric(text: string, name: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no sample ${name} in:\n${text}`);
  return Number(line.slice(name.length + 1));
}
