// Loads an Egg framework as egg-scripts would: its ES modules for an application that is one, its CommonJS build otherwise. Runs in the agent and the workers.
import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { EggOptions } from "./options.ts";

/** What Rollcall needs of Egg's Application and Agent. */
export interface EggApplication extends NodeJS.EventEmitter {
  readonly config: {
    readonly cluster?: {
      readonly listen?: { readonly path?: string; readonly port?: number; readonly hostname?: string };
      readonly https?: Readonly<Record<string, string>>;
    };
    readonly serverGracefulIgnoreCode?: readonly string[];
  };
  readonly options: { port?: number };
  readonly coreLogger: { error(error: unknown): void };
  ready(callback: (error?: unknown) => void): void;
  close(): Promise<void>;
  callback(): RequestListener;
}

type EggClass = new (options: object) => EggApplication;

export interface Framework {
  readonly Application: EggClass;
  readonly Agent: EggClass;
}

interface Manifest {
  readonly name?: string;
  readonly type?: string;
  readonly exports?: unknown;
}

/** @throws when the framework cannot be loaded, or is none */
export async function loadFramework({ framework, baseDir }: EggOptions): Promise<Framework> {
  const loaded = await load(framework, readManifest(baseDir).type === "module");
  const { Application, Agent } = (loaded.Application === undefined ? loaded.default : loaded) as Partial<Framework>;
  if (Application === undefined || Agent === undefined)
    throw new TypeError(`expected Application and Agent among the exports of ${framework}; is it an Egg framework?`);
  return { Application, Agent };
}

/** Rejects with the first error before it. */
export function untilReady(agent: EggApplication): Promise<void> {
  return new Promise((resolve, reject) => {
    agent.once("error", reject);
    agent.ready((error) => {
      agent.removeListener("error", reject);
      if (error) reject(error);
      else resolve();
    });
  });
}

async function load(folder: string, asModule: boolean): Promise<Record<string, unknown>> {
  const require = createRequire(join(folder, "package.json"));
  const { name, exports } = readManifest(folder);
  const entry = asModule ? importedEntry(exports) : null;
  if (entry !== null) return import(pathToFileURL(join(folder, entry)).href) as Promise<Record<string, unknown>>;
  // A package with exports is found by its own name alone; one without by its folder.
  return require(exports === undefined || name === undefined ? folder : name) as Record<string, unknown>;
}

/** What `import` would load of a package with conditional exports; null: what `require` loads. */
function importedEntry(exports: unknown): string | null {
  if (typeof exports === "string") return exports;
  if (typeof exports !== "object" || exports === null) return null;
  const conditions = exports as Record<string, unknown>;
  const key = [".", "node", "import", "default"].find((condition) => conditions[condition] !== undefined);
  return key === undefined ? null : importedEntry(conditions[key]);
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}
