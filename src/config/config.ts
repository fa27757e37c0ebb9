// The effective configuration: what the rest of Rollcall reads. Every value is checked and in base units
// (milliseconds, bytes, ratios). Pure types; the table of options that fills it is options.ts.

/** How many workers were asked for: sized from the machine, a number, or a share of its CPUs (0.5 is 50 %). */
export type WorkersSetting =
  | { readonly kind: "auto" }
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "share"; readonly share: number };

/** When a child counts as ready; a string that starts with "/" is an HTTP path that must answer 2xx. */
export type ReadyWhen = "listening" | "loaded" | "message" | `/${string}`;

/** How workers share a declared port. */
export type ListenStrategy = "auto" | "paired" | "per-worker" | "shared" | "round-robin" | "sticky";

/** How large a worker may grow before it is recycled: sized from its share of the container's memory, as large as it likes, or a size. */
export type MemorySetting = { readonly kind: "auto" } | { readonly kind: "off" } | { readonly kind: "size"; readonly bytes: number };

export interface EggSetting {
  /** Absolute path of the application, once it is resolved. */
  readonly folder: string;
  /** Absolute path of its framework, once it is resolved; before, a path or a name, or null: as package.json#egg says. */
  readonly framework: string | null;
  /** What Egg's Application and Agent are given besides. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface Backoff {
  readonly delayMs: number;
  readonly factor: number;
  readonly limitMs: number;
  /** A child that stayed ready for this long starts again without delay. */
  readonly resetMs: number;
  /** Share of the delay by which it may vary, 0 to 1. */
  readonly jitter: number;
}

export interface Config {
  /** Absolute real path of the app. */
  readonly app: string;
  /** What follows `--`: the app's own arguments. */
  readonly appArgs: readonly string[];
  /** Absolute real path of the agent entry. */
  readonly agent: string | null;
  /** The Egg application that runs in the place of an app and an agent. */
  readonly egg: EggSetting | null;
  readonly workers: WorkersSetting;
  /** Ports that the service declares; empty when the app alone knows. */
  readonly ports: readonly number[];
  readonly host: string | null;
  readonly listen: ListenStrategy;
  /** Whether a handler that the app exports is served: when the app does not listen by itself, in any case, or never. */
  readonly serve: "auto" | "export" | "never";
  /** Absolute paths of PEM files, for a handler that the app exports; all null is http. `httpsPassphrase` is a file that holds it. */
  readonly httpsKey: string | null;
  readonly httpsCert: string | null;
  readonly httpsCa: string | null;
  readonly httpsPassphrase: string | null;
  /** With `paired`: how many workers accept from each queue. */
  readonly spread: number;
  /** With `sticky`: which X-Forwarded-For hop, from the right, names the client. */
  readonly stickyTrust: number | "off";
  readonly readyWhen: ReadyWhen;
  readonly bootTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly drainDelayMs: number;
  readonly drainIdleMs: number;
  readonly rollCallPeriodMs: number;
  readonly failureThreshold: number;
  readonly onException: "exit" | "report";
  readonly lingerMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly backoff: Backoff;
  readonly maxRestarts: number;
  readonly maxMemory: MemorySetting;
  readonly maxRequests: number | "off";
  readonly maxLifetimeMs: number | "off";
  readonly minReady: number;
  readonly agentGraceMs: number;
  readonly agentUncaught: "survive" | "restart";
  /** Whether the agent has a process of its own, or a thread of the master's. */
  readonly agentMode: "process" | "thread";
  readonly settleMs: number;
  readonly surge: number;
  /** 0 takes any free port (it is named in the first lines of the log). */
  readonly probesPort: number;
  readonly metricsPort: number;
  readonly metricsHost: string | null;
  /** Absolute path of the control socket; null is the usual place, "off" none. */
  readonly control: string | null;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  readonly logFormat: "json" | "pretty";
  readonly pidFile: string | null;
  /** Adopts and reaps orphans also where the master is not PID 1. */
  readonly subreaper: boolean;
  readonly title: string | null;
  /** A child's end spares what it started in a session of its own. */
  readonly keepDescendants: boolean;
  /** How workers are scheduled against others that want the same CPU: `auto` is `batch` while there are more of them than CPUs. */
  readonly cpuScheduling: "auto" | "batch" | "inherit";
  /** The inspector's port of the agent; a worker's is this, its slot and one. */
  readonly debugPort: number | null;
  /** Extra flags for the children's Node. */
  readonly nodeArgs: readonly string[];
  readonly imports: readonly string[];
  readonly requires: readonly string[];
  /** Extra environment of the children. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Where one effective value came from. */
export interface Provenance {
  readonly option: string;
  /** For a person: "--workers", "ROLLCALL_WORKERS", "rollcall.config.ts", "package.json#rollcall", "PORT", "default", "default in Kubernetes". */
  readonly source: string;
}
