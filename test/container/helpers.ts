// Real containers: builds the image of this repository once per test file, runs containers of it, and takes both away at the end.
// Everything goes through the docker command, published ports and `docker exec`; only the signals of a start look into the host's /proc.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Snapshot } from "../../src/policy/snapshot.ts";
import { until } from "../helpers/until.ts";

export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));
/** Why the tests here are skipped; false runs them, and then a missing engine is a failure. */
export const skip: string | false =
  process.env.ROLLCALL_CONTAINER_TESTS === "1" ? false : "needs a Docker engine; run it with ROLLCALL_CONTAINER_TESTS=1";
/** What a hardened deployment adds: the image must need none of it. Note that there is no writable /tmp. */
export const LOCKED: readonly string[] = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "1000"];

const PREFIX = `rollcall-test-${process.pid}`;
const COMMAND_MS = 60_000;
export const BUILD_MS = 300_000;
/** For what a container needs to boot on a slow, busy machine. */
export const BOOT_MS = 60_000;

let count = 0;

/** A name that no other run uses. */
export function uniqueName(): string {
  return `${PREFIX}-${++count}`;
}

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, whatever its exit code. */
export function run(
  command: string,
  args: readonly string[],
  options: { deadlineMs?: number; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Output> {
  const { deadlineMs = COMMAND_MS, cwd = ROOT, env = process.env } = options;
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { timeout: deadlineMs, killSignal: "SIGKILL", maxBuffer: 1 << 26, cwd, env }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") {
        reject(
          new Error(
            `${command} ${args.join(" ")}: ${error.killed === true ? `no end within ${deadlineMs} ms` : error.message}\n${stdout}${stderr}`,
          ),
        );
      } else resolve({ code: error === null ? 0 : (error.code as unknown as number), stdout, stderr });
    });
  });
}

/** Runs docker; its stdout. @throws when it fails */
export async function docker(args: readonly string[], deadlineMs: number = COMMAND_MS): Promise<string> {
  const { code, stdout, stderr } = await run("docker", args, { deadlineMs });
  if (code !== 0) throw new Error(`docker ${args.join(" ")} exited with ${code}:\n${stdout}${stderr}`);
  return stdout.trim();
}

/** Builds a folder. The host's network: a registry or proxy may be reachable from there only. Layers are cached by the engine. */
export async function build(tag: string, folder: string, more: readonly string[] = []): Promise<void> {
  await docker(["build", "--quiet", "--force-rm", "--network", "host", "--tag", tag, ...more, folder], BUILD_MS);
}

/** To be called at the top of a file: its tests have the image of this repository, and the engine loses it at the end. */
export function useImage(): string {
  const tag = `${PREFIX}:image`;
  before(
    async () => {
      if (skip !== false) return;
      await docker(["info", "--format", "{{.ServerVersion}}"]).catch((error: Error) => {
        throw new Error(`ROLLCALL_CONTAINER_TESTS=1 asks for container tests, but no Docker engine answers: ${error.message}`);
      });
      await build(tag, ROOT);
    },
    { timeout: BUILD_MS },
  );
  after(async () => {
    if (skip === false) await run("docker", ["image", "rm", "--force", tag]);
  });
  return tag;
}

export interface Container {
  readonly name: string;
  /** The process 1 of the container, as the host numbers it. */
  readonly hostPid: () => Promise<number>;
  readonly url: (port: number, path: string) => Promise<string>;
  /** Asks on a connection of its own. */
  readonly get: (port: number, path: string) => Promise<Response>;
  readonly status: () => Promise<Snapshot & { readonly pid: number }>;
  readonly untilReady: () => Promise<void>;
  readonly logs: () => Promise<string>;
  readonly exec: (...command: readonly string[]) => Promise<string>;
  readonly inspect: (format: string) => Promise<string>;
  /** Waits for the end by itself or by somebody else. */
  readonly exited: (deadlineMs?: number) => Promise<number>;
  /** `docker stop`, as a person would call it: TERM, and KILL after ten seconds. */
  readonly stop: () => Promise<{ readonly code: number; readonly afterMs: number }>;
}

/** Creates and starts a container in the background, with its three ports published on free ports of the loopback. */
export async function startContainer(
  t: TestContext,
  image: string,
  options: readonly string[] = [],
  command: readonly string[] = [],
): Promise<Container> {
  const container = await createContainer(t, image, options, command);
  await docker(["start", container.name]);
  return container;
}

/** The same, not started yet. */
export async function createContainer(
  t: TestContext,
  image: string,
  options: readonly string[] = [],
  command: readonly string[] = [],
): Promise<Container> {
  const name = uniqueName();
  const ports = [3000, 9000, 9464].flatMap((port) => ["--publish", `127.0.0.1::${port}`]);
  t.after(() => docker(["rm", "--force", "--volumes", name]));
  await docker(["create", "--name", name, ...ports, ...options, image, ...command]);
  return watch(name);
}

/** A container that somebody else made and will take away. */
export function watch(name: string): Container {
  const inspect = (format: string): Promise<string> => docker(["inspect", "--format", format, name]);
  const container: Container = {
    name,
    inspect,
    hostPid: async () => Number(await inspect("{{.State.Pid}}")),
    url: async (port, path) => `http://${(await docker(["port", name, `${port}/tcp`])).split("\n")[0]}${path}`,
    get: async (port, path) =>
      fetch(await container.url(port, path), { headers: { connection: "close" }, signal: AbortSignal.timeout(20_000) }),
    status: async () => (await container.get(9464, "/status")).json() as Promise<Snapshot & { pid: number }>,
    untilReady: async () => {
      await until(`${name} is ready`, async () => (await container.get(9000, "/ready")).status === 200, BOOT_MS).catch(
        async (error: Error) => {
          throw new Error(`${error.message}\n${await container.logs()}`);
        },
      );
    },
    logs: async () => {
      const { stdout, stderr } = await run("docker", ["logs", name]);
      return stdout + stderr;
    },
    exec: (...command) => docker(["exec", name, ...command]),
    exited: async (deadlineMs = 30_000) => Number(await docker(["wait", name], deadlineMs)),
    stop: async () => {
      const startedAt = performance.now();
      await docker(["stop", name]);
      const afterMs = performance.now() - startedAt;
      return { code: await container.exited(), afterMs };
    },
  };
  return container;
}

/** Whether a process of the host has a handler of its own for a signal (bits of signal(7), from 1). */
export function catches(pid: number, signal: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}
