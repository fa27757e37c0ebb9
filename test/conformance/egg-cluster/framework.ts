// Runs test/fixtures/egg-cluster/app on the least of a framework, which loads in no time: for what egg-cluster's own tests ask of a cluster, not of Egg.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { ask } from "../../helpers/load.ts";
import { type Result, run, scratch } from "../../helpers/mistakes.ts";
import { type Service, startService } from "../../helpers/service.ts";

const folder = (name: string): string => fileURLToPath(new URL(`../../fixtures/egg-cluster/${name}`, import.meta.url));

export const BASE: string = folder("app");
export const FRAMEWORK: string = folder("framework");

/** What a worker says of itself, whatever it is asked. */
export interface Facts {
  readonly pid: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly heard: readonly Heard[];
  readonly isGivenServer: boolean;
  readonly errorListenersBefore: number;
  readonly errorListeners: number;
  readonly index: string;
  readonly noDeprecation?: string;
  readonly custom?: string;
  readonly serverEnv?: string;
  readonly loaded: readonly string[];
}

interface Heard {
  readonly action: string;
  readonly data?: unknown;
  readonly from: string;
}

/** Options for the framework's Agent and Application. */
type Given = Readonly<Record<string, unknown>>;

/** A start that fails, to its end. */
export function failToStart(t: TestContext, given: Given, flags: readonly string[] = []): Promise<Result> {
  return run(t, ["--config", configFile(t, given), "--workers", "1", ...flags]);
}

/** With no port but what the application's config says. */
export function startOnConfig(t: TestContext, listen: object, env: Record<string, string> = {}): Promise<Service> {
  const flags = ["--config", configFile(t, { leads: true, appConfig: { listen } }), "--drain-idle", "100ms"];
  return startService(t, { app: null, declared: false, workers: 1, flags, env });
}

export async function factsAt(url: string, body?: string): Promise<Facts> {
  if (body === undefined) return JSON.parse((await ask(url)).body) as Facts;
  const answer = await fetch(url, { method: "POST", body, headers: { connection: "close" } });
  return (await answer.json()) as Facts;
}

function configFile(t: TestContext, given: Given): string {
  const path = join(scratch(t), "rollcall.json");
  writeFileSync(path, JSON.stringify({ egg: { baseDir: BASE, framework: FRAMEWORK, ...given } }));
  return path;
}
