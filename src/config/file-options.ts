// The type of a config file, for editors: the keys of the table in camelCase, with the forms that a file may write. Types only.
// A test holds the keys to the table.

import type { EggFileOptions } from "./egg.ts";

/** `268435456` (bytes), `"256MiB"`, `"1.5GiB"`. */
export type Size = number | string;

/** `5000` (milliseconds), `"500ms"`, `"5s"`, `"2m"`, `"1h"`. */
export type Duration = number | string;

export interface ConfigFileOptions {
  /** The script of the service. */
  readonly app?: string;
  readonly agent?: string | null;
  /** The folder of an Egg application; `true`: the working folder; or what its classes are to be given as well. */
  readonly egg?: string | true | EggFileOptions | null;
  /** `"auto"` (default), a number, or a percentage of the CPUs such as `"50%"`. */
  readonly workers?: number | "auto" | `${number}%`;
  readonly port?: number | readonly number[];
  readonly host?: string | null;
  readonly serve?: "auto" | "export" | "never";
  readonly httpsKey?: string | null;
  readonly httpsCert?: string | null;
  readonly httpsCa?: string | null;
  readonly httpsPassphrase?: string | null;
  /** The same as the four above. */
  readonly https?: {
    readonly key?: string | null;
    readonly cert?: string | null;
    readonly ca?: string | null;
    readonly passphrase?: string | null;
  };
  readonly listen?: "auto" | "paired" | "per-worker" | "shared" | "round-robin" | "sticky";
  readonly spread?: number;
  readonly stickyTrust?: number | "off";
  readonly minReady?: number;
  /** `"listening"` (default), `"loaded"`, `"message"`, or an HTTP path that must answer 2xx. */
  readonly readyWhen?: "listening" | "loaded" | "message" | `/${string}`;
  readonly bootTimeout?: Duration;
  readonly settle?: Duration;
  readonly surge?: number;
  readonly stopTimeout?: Duration;
  readonly drainDelay?: Duration;
  readonly drainIdle?: Duration;
  readonly rollCallPeriod?: Duration;
  readonly failureThreshold?: number;
  readonly onException?: "exit" | "report";
  readonly linger?: Duration;
  readonly heartbeatTimeout?: Duration;
  readonly backoffDelay?: Duration;
  readonly backoffFactor?: number;
  readonly backoffLimit?: Duration;
  readonly backoffReset?: Duration;
  readonly backoffJitter?: number | `${number}%`;
  /** The same as the five above. */
  readonly backoff?: {
    readonly delay?: Duration;
    readonly factor?: number;
    readonly limit?: Duration;
    readonly reset?: Duration;
    readonly jitter?: number | `${number}%`;
  };
  readonly maxRestarts?: number;
  /** `"auto"` (default), `"off"`, or a size. */
  readonly maxMemory?: Size | "auto" | "off";
  readonly maxRequests?: number | "off";
  readonly maxLifetime?: Duration | "off";
  readonly agentGrace?: Duration;
  readonly agentUncaught?: "survive" | "restart";
  readonly agentMode?: "process" | "thread";
  readonly probesPort?: number;
  readonly metricsPort?: number;
  readonly metricsHost?: string | null;
  /** A path, or `"off"`. */
  readonly control?: string | null;
  readonly logLevel?: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
  readonly logFormat?: "json" | "pretty";
  readonly cpuScheduling?: "auto" | "batch" | "inherit";
  readonly debugPort?: number | null;
  readonly nodeArg?: string | readonly string[];
  readonly import?: string | readonly string[];
  readonly require?: string | readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly keepDescendants?: boolean;
  readonly subreaper?: boolean;
  readonly title?: string | null;
  readonly pidFile?: string | null;
}
