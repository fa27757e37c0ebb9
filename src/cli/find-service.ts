// Which running service does a command mean? The one that is named, else the only one that lives. Runs in the CLI.
import { resolve } from "node:path";
import { EXIT_CODES } from "../errors.ts";
import { controlFolders, type Liveness, listSockets, probeSocket, removeStale } from "../system/control-place.ts";
import { converse } from "./conversation.ts";
import type { Status } from "./status-table.ts";

export type Found =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly problems: readonly string[]; readonly exitCode: number };

/** How long a service among several may take to say who it is. */
const INTRODUCTION_MS = 2_000;

export async function findService(asked: string | null, env: NodeJS.ProcessEnv, cwd: string): Promise<Found> {
  if (asked !== null) return { ok: true, path: resolve(cwd, asked) };
  const folders = controlFolders(env);
  const configured = env.ROLLCALL_CONTROL ?? "";
  const named = configured === "" || configured === "off" ? [] : [resolve(cwd, configured)];
  const listed = folders.flatMap(listSockets);
  const { live, unreachable } = await tryAll([
    ...new Set([...listed.filter(({ isTrusted }) => isTrusted).map(({ path }) => path), ...named]),
  ]);
  // A config file may be code, and slow: it is asked last.
  const [only = await inConfigFile(env, cwd), ...others] = live;
  if (others.length > 0) return { ok: false, problems: await introduce(live), exitCode: EXIT_CODES.usage };
  if (only !== null) return { ok: true, path: only };
  const places = [...folders.map((folder) => `rollcall-*.sock in ${folder}`), ...named].join(", ");
  const foreign = listed.filter(({ path, isTrusted }) => !isTrusted || unreachable.includes(path));
  if (foreign.length > 0) {
    const problems = foreign.map(({ path, uid }) => `${path} is a service of the user with the id ${uid}: run this as that user`);
    return { ok: false, problems, exitCode: EXIT_CODES.internal };
  }
  const problem =
    `no running service found (looked for ${places}): run this where the service runs (docker exec, kubectl exec), as its user or ` +
    "as root, or give --control <path>; a service that was started with --control off takes signals only";
  return { ok: false, problems: [problem], exitCode: EXIT_CODES.internal };
}

interface Tried {
  readonly live: readonly string[];
  readonly unreachable: readonly string[];
}

async function tryAll(paths: readonly string[]): Promise<Tried> {
  const found = await Promise.all(paths.map(async (path) => ({ path, liveness: await probeSocket(path) })));
  for (const { path, liveness } of found) if (liveness === "stale") removeStale(path);
  const those = (wanted: Liveness): readonly string[] => found.filter(({ liveness }) => liveness === wanted).map(({ path }) => path);
  return { live: those("live"), unreachable: those("unreachable") };
}

async function inConfigFile(env: NodeJS.ProcessEnv, cwd: string): Promise<string | null> {
  const { resolveControl } = await import("../config/resolve.ts");
  const path = await resolveControl({ argv: [], env, cwd, isTerminal: false });
  return path === null || path === "off" || (await probeSocket(path)) !== "live" ? null : path;
}

/** Who they are, for a person to choose. */
async function introduce(paths: readonly string[]): Promise<readonly string[]> {
  const lines = await Promise.all(paths.map(async (path) => `  --control ${path}   ${await nameOf(path)}`));
  return [`${paths.length} services are running: say which one is meant`, ...lines.sort()];
}

async function nameOf(path: string): Promise<string> {
  try {
    for await (const answer of converse(path, { command: "status" }, INTRODUCTION_MS)) {
      if (answer.event !== "status") break;
      const { pid, title, app } = answer.status as Status;
      return `pid ${pid}, ${title ?? app}`;
    }
  } catch {
    // It has just ended, or is no service of this version.
  }
  return "(says nothing of itself)";
}
