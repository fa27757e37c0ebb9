// The public API of `rollcall/egg`: startCluster() in the place of egg-cluster's. The process that calls it is the service's parent, not its master.
import { constants } from "node:os";
import { resolve } from "node:path";
import type { EggFileOptions } from "./config/egg.ts";
import { type Service, type StartOptions, start } from "./index.ts";

/** The options of egg-cluster's startCluster(), and Rollcall's own beside them. */
export interface ClusterOptions {
  /** The folder of the application; the working folder unless given. */
  readonly baseDir?: string;
  /** An absolute path or the name of a package; `egg.framework` of the application's `package.json`, else "egg". */
  readonly framework?: string | undefined;
  /** One per CPU that the container has, unless given. */
  readonly workers?: number | string | null;
  readonly port?: number | string | null;
  /** A second port of every worker, without TLS. */
  readonly debugPort?: number | string | null;
  /** Paths. */
  readonly https?: { readonly key: string; readonly cert: string; readonly ca?: string; readonly passphrase?: string } | false | null;
  readonly require?: string | readonly string[];
  readonly pidFile?: string | null;
  readonly title?: string | null;
  /** "worker_threads": the agent in a thread of the master, as `agentMode: "thread"`. Workers are processes all the same. */
  readonly startMode?: "process" | "worker_threads" | null;
  /** By the client's address, as `listen: "sticky"`. */
  readonly sticky?: boolean | null;
  /** Egg's server environment; EGG_SERVER_ENV unless given. */
  readonly env?: string | null;
  /** Options of Rollcall's own, such as `{ stopTimeout: "20s" }`. */
  readonly rollcall?: Omit<StartOptions, "app" | "agent" | "egg">;
  /** Whatever else goes to Egg's Application and Agent untouched. */
  readonly [option: string]: unknown;
}

/** egg-cluster's own business, which has no meaning here. */
const NOT_NEEDED: ReadonlySet<string> = new Set(["customEgg", "ports", "reusePort", "isDebug", "clusterPort"]);

/**
 * Starts the service, stops it when this process is told to stop, hands messages on between it and this process's own parent, and ends this process as it
 * ends.
 * @param callback called when the service is ready, as by egg-cluster 2
 * @returns resolves when the service is ready
 */
export async function startCluster(options: ClusterOptions = {}, callback?: () => void): Promise<Service> {
  const service = startAsIs(startOptions(options));
  const forward = (signal: NodeJS.Signals): void => {
    if (service.pid !== undefined) process.kill(service.pid, signal);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const) process.on(signal, forward);
  service.once("exit", ({ code, signal }) => process.exit(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  relayLetters(service);
  await service.ready;
  callback?.();
  return service;
}

function startOptions(options: ClusterOptions): StartOptions {
  const { baseDir, framework, workers, port, https, require, pidFile, title, sticky, startMode, rollcall, debugPort, ...others } = options;
  const secure = https || null;
  const given = Object.entries(others).filter(([name, value]) => !NOT_NEEDED.has(name) && value != null);
  const asked = framework ?? (options.customEgg as string | undefined);
  const egg: EggFileOptions = {
    ...Object.fromEntries(given),
    baseDir: resolve(baseDir ?? "."),
    ...(asked === undefined ? {} : { framework: asked }),
    ...(secure === null ? {} : { https: secure }),
    ...(numberOf(debugPort) === null ? {} : { debugPort: numberOf(debugPort) }),
  };
  const own = {
    workers: numberOf(workers),
    port: numberOf(port) ?? (secure === null ? null : 8443),
    require: require === undefined ? null : [require].flat(),
    ...{ pidFile, title },
    listen: sticky === true ? "sticky" : null,
    agentMode: startMode === "worker_threads" ? "thread" : null,
  };
  return {
    // As it is: egg-cluster moves nobody.
    cwd: process.cwd(),
    ...(Object.fromEntries(Object.entries(own).filter(([, value]) => value != null)) as StartOptions),
    ...rollcall,
    egg,
  };
}

/** egg-cluster takes an application without NODE_ENV for a developer's; `rollcall --egg`, as egg-scripts, for one in production. */
function startAsIs(options: StartOptions): Service {
  if (process.env.NODE_ENV !== undefined) return start(options);
  process.env.NODE_ENV = "";
  try {
    return start(options);
  } finally {
    delete process.env.NODE_ENV;
  }
}

/** As egg-cluster takes them: "4" is 4, and 0, "" or null is nothing. */
function numberOf(value: unknown): number | null {
  return Number.parseInt(String(value), 10) || null;
}

/** A program that forked this one, such as egg-scripts, waits for egg-ready, and may have letters for the service. */
function relayLetters(service: Service): void {
  if (process.send === undefined) return;
  service.on("message", (letter) => {
    if (process.connected) process.send?.(letter, undefined, undefined, () => {});
  });
  process.on("message", (raw) => {
    const letter = typeof raw === "string" ? { action: raw, data: raw } : raw;
    const { action, data, to } = (letter ?? {}) as { action?: unknown; data?: unknown; to?: "agent" | "app" | "master" };
    if (typeof action === "string") service.send(action, data, to);
  });
}
