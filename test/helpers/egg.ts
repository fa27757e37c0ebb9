// Real applications of Egg 3 and 4 under Rollcall, asked over HTTP. `npm run egg` installs them.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { ask } from "./load.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";
import { until } from "./until.ts";

/** Three processes that load a framework each take their time on a busy machine. */
export const START_MS = 90_000;

export const VERSIONS = [3, 4] as const;
export type Version = (typeof VERSIONS)[number];

/** What a worker has heard: an action alone, or with its data. */
export type Heard = string | Readonly<Record<string, unknown>>;

export interface EggService extends Service {
  /** By pid, of every worker that is ready. */
  readonly heard: () => Promise<ReadonlyMap<number, readonly Heard[]>>;
  /** The messenger's method, called in one worker; resolves with its pid. */
  readonly say: (call: string, ...args: readonly unknown[]) => Promise<number>;
  readonly post: (path: string, body: object) => Promise<{ readonly pid: number }>;
  readonly agentPid: () => Promise<number>;
}

export function folderOf(version: Version): string {
  return fileURLToPath(new URL(`../fixtures/egg/egg${version}`, import.meta.url));
}

/** Why its tests skip, or false. */
export function notInstalled(version: Version): string | false {
  return existsSync(join(folderOf(version), "node_modules/egg")) ? false : `Egg ${version} is not installed: npm run egg`;
}

/** A folder for the logs and the dumps of Egg. */
export function logFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-egg-"));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export async function startEgg(t: TestContext, version: Version, options: Partial<ServiceOptions> = {}): Promise<EggService> {
  const flags = ["--egg", folderOf(version), "--drain-idle", "200ms", "--boot-timeout", `${START_MS}ms`, ...(options.flags ?? [])];
  const env = { NODE_ENV: "production", EGG_FIXTURE_LOGS: logFolder(t), ...options.env };
  const service = await startService(t, { workers: 2, ...options, app: null, flags, env });
  const post = async (path: string, body: object): Promise<{ pid: number }> => {
    const headers = { "content-type": "application/json", connection: "close" };
    const response = await fetch(service.url(path), { method: "POST", headers, body: JSON.stringify(body) });
    return (await response.json()) as { pid: number };
  };
  return {
    ...service,
    untilReady: () =>
      until("the application is ready", async () => (await service.probe("ready")) === 200, START_MS)
        .then(() => {})
        .catch((error: Error) => {
          throw new Error(`${error.message}\n${service.output()}`);
        }),
    post,
    say: async (call, ...args) => (await post("/say", { call, args })).pid,
    agentPid: async () => (await service.status()).agent?.processes.find(({ state }) => state === "ready")?.pid as number,
    heard: async () => {
      const pids = await service.workerPids();
      const found = new Map<number, readonly Heard[]>();
      await until(`workers ${pids.join(", ")} tell what they have heard`, async () => {
        const { pid, heard } = JSON.parse((await ask(service.url("/heard"))).body) as { pid: number; heard: readonly Heard[] };
        if (!found.has(pid)) found.set(pid, heard);
        return pids.every((each) => found.has(each));
      });
      return found;
    },
  };
}

/** Waits as long as a busy machine may take to start what was killed. */
export function eventually<T>(what: string, check: () => T | Promise<T>): Promise<NonNullable<T>> {
  return until(what, check, START_MS);
}

/** How many times a worker has heard the action with these data. */
export function countOf(heard: readonly Heard[] | undefined, action: string, data: unknown): number {
  return (heard ?? []).filter((each) => typeof each === "object" && JSON.stringify(each) === JSON.stringify({ [action]: data })).length;
}
