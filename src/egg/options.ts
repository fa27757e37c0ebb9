// What the entries of an Egg application are told: the options for Application and Agent, in one environment variable. Written in the master, read in
// the agent and the workers.
import type { Assignment, HttpsFiles } from "../messenger/wire.ts";

export const EGG_VARIABLE = "ROLLCALL_EGG_OPTIONS";

/** As egg-cluster gives them; whatever else was given to startCluster() goes along untouched. */
export interface EggOptions {
  readonly framework: string;
  readonly baseDir: string;
  /** For cluster-client: the agent listens there, and the workers follow it. */
  readonly clusterPort: number;
  readonly startMode: "process";
  /** The declared port; without it the application's config.cluster.listen.port counts. */
  readonly port?: number;
  readonly debugPort?: number;
  readonly https?: Readonly<Record<string, string>> | false;
  /** What Rollcall was given: stronger than what the application says. */
  readonly httpsFiles?: HttpsFiles;
  readonly [name: string]: unknown;
}

/** @throws where a file of this folder is run by hand */
export function readEggOptions(env: NodeJS.ProcessEnv): EggOptions {
  const text = env[EGG_VARIABLE];
  if (text === undefined) throw new Error(`${EGG_VARIABLE} is not set: expected to be started by rollcall --egg`);
  return JSON.parse(text) as EggOptions;
}

/** What cfork sets: Egg's plugins tell workers apart by it. A slot's number stays through restarts, as cfork's index does. */
export function setWorkerIndex(env: NodeJS.ProcessEnv, { slot }: Pick<Assignment, "slot">): void {
  env.CFORK_WORKER_INDEX = String(slot);
}
