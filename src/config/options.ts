// The one table of options: flags, environment names, keys of config files, help and docs all come from it.
// Runs in the master, at start only. Keyed by the place in Config, so that the compiler holds the two together.

import { environment, listOf, MOST_WORKERS, memory, nodeFlag, orOff, readyWhen, workers } from "./kinds.ts";
import { file, type Key, type Option, type Settings } from "./option.ts";
import { SERVING } from "./serving-options.ts";
import { count, duration, factor, host, type Kind, oneOf, port, ratio, text, toggle } from "./values.ts";

export type { Key, Option, Settings } from "./option.ts";

export const USAGE = "rollcall [run] [options] <app> [-- app arguments]";

const folder: Kind<string> = text("<folder>", "the path of a folder");
const preload: Kind<readonly string[]> = listOf(text("<module>", "a path or the name of a package"));

export const OPTIONS: { readonly [K in Key]: Option<Settings[K]> } = {
  app: {
    name: "app",
    group: "Service",
    kind: file,
    default: null,
    unset: "required",
    meaning: "the script of the service: it listens by itself, as under plain node, or exports a handler",
  },
  agent: { name: "agent", kind: file, default: null, meaning: "the one process for work that must happen once" },
  workers: {
    name: "workers",
    kind: workers,
    default: { kind: "auto" },
    meaning: "auto is one per CPU that the container has; or a number, or a percentage of the CPUs",
  },
  ports: {
    name: "port",
    kind: listOf(port),
    default: [],
    unset: "where the app listens",
    meaning: "port that the master binds for the service; repeatable; PORT in the environment counts too",
  },
  host: { name: "host", kind: host, default: null, unset: "all interfaces", meaning: "address that the service's ports are bound on" },
  ...SERVING,
  listen: {
    name: "listen",
    kind: oneOf("<strategy>", "auto", "paired", "per-worker", "shared", "round-robin", "sticky"),
    default: "auto",
    meaning: "how workers share a port: auto (paired on Linux, else round-robin), paired, per-worker, shared, round-robin or sticky",
  },
  spread: { name: "spread", kind: count(1, 64), default: 2, meaning: "with paired: how many workers accept from each queue" },
  stickyTrust: {
    name: "sticky-trust",
    kind: orOff(count(1, 32)),
    default: "off",
    meaning:
      "with sticky: clients are told apart by X-Forwarded-For, by the hop that so many trusted proxies have written; off is by address",
  },
  minReady: { name: "min-ready", kind: count(1, MOST_WORKERS), default: 1, meaning: "how many ready workers it takes to be ready" },

  readyWhen: {
    name: "ready-when",
    group: "Start, reload and stop",
    kind: readyWhen,
    default: "listening",
    meaning: "when a worker is ready: listening, loaded, message, or an HTTP path that answers 2xx",
  },
  bootTimeoutMs: {
    name: "boot-timeout",
    kind: duration(1),
    default: 60_000,
    meaning: "a child not ready by then is killed",
  },
  settleMs: {
    name: "settle",
    kind: duration(0),
    default: 3_000,
    meaning: "how long the first worker of a reload must stay ready before it, and the others, replace anybody",
  },
  surge: { name: "surge", kind: count(0, 16), default: 1, meaning: "extra workers allowed during a reload; 0 replaces in place" },
  stopTimeoutMs: {
    name: "stop-timeout",
    kind: duration(1),
    default: 9_000,
    inKubernetes: 25_000,
    meaning: "the whole stop budget (Docker kills at 10s, Kubernetes at 30s)",
  },
  drainDelayMs: {
    name: "drain-delay",
    kind: duration(0),
    default: 0,
    inKubernetes: 5_000,
    meaning: "how long to keep accepting after readiness turned false",
  },
  drainIdleMs: {
    name: "drain-idle",
    kind: duration(0),
    default: 5_000,
    meaning: "how long idle keep-alive connections may send one last request to a draining worker",
  },

  rollCallPeriodMs: {
    name: "roll-call-period",
    group: "Roll call",
    kind: duration(1),
    default: 10_000,
    meaning: "time between two roll calls",
  },
  failureThreshold: {
    name: "failure-threshold",
    kind: count(1, 1_000),
    default: 3,
    meaning: "this many failed roll calls in a row fail liveness",
  },
  onException: {
    name: "on-exception",
    kind: oneOf("<word>", "exit", "report"),
    default: "exit",
    meaning: "what the last strike also does: exit (code 5, after linger) or only report",
  },
  lingerMs: {
    name: "linger",
    kind: duration(0),
    default: 5_000,
    meaning: "time between the last strike and the exit",
  },
  heartbeatTimeoutMs: {
    name: "heartbeat-timeout",
    kind: duration(1),
    default: 30_000,
    meaning: "a worker whose event loop is silent so long is replaced",
  },

  "backoff.delayMs": {
    name: "backoff-delay",
    group: "Restarts",
    kind: duration(0),
    default: 500,
    meaning: "wait before a child that keeps crashing is forked again; the first restart is at once",
  },
  "backoff.factor": {
    name: "backoff-factor",
    kind: factor(1, 100),
    default: 2,
    meaning: "each wait is longer than the last by this factor",
  },
  "backoff.limitMs": { name: "backoff-limit", kind: duration(0), default: 30_000, meaning: "the longest wait" },
  "backoff.resetMs": {
    name: "backoff-reset",
    kind: duration(0),
    default: 30_000,
    meaning: "a child that was ready so long restarts at once",
  },
  "backoff.jitter": { name: "backoff-jitter", kind: ratio, default: 0.1, meaning: "how far the wait varies at random" },
  maxRestarts: {
    name: "max-restarts",
    kind: count(1, 1_000_000),
    default: 10,
    meaning: "short lives in a row that make a slot crash-looping; when every slot is, or the agent: exit 6",
  },
  agentGraceMs: {
    name: "agent-grace",
    kind: duration(0),
    default: 10_000,
    meaning: "how long the agent may be away before readiness turns false",
  },
  agentUncaught: {
    name: "agent-uncaught",
    kind: oneOf("<word>", "survive", "restart"),
    default: "survive",
    meaning: "an uncaught exception in the agent: survive (log it and live on) or restart",
  },
  agentMode: {
    name: "agent-mode",
    kind: oneOf("<word>", "process", "thread"),
    default: "process",
    meaning:
      "process, or thread: the agent in a thread of the master, as egg-cluster can; a native crash or one huge allocation in it ends all",
  },

  maxMemory: {
    name: "max-memory",
    group: "Recycling",
    kind: memory,
    default: { kind: "auto" },
    meaning: "a worker that uses more is recycled; auto goes by its share of the container's memory; off, or a size such as 512MiB",
  },
  maxRequests: {
    name: "max-requests",
    kind: orOff(count(1, 1_000_000_000)),
    default: "off",
    meaning: "a worker that has had so many is recycled at its next heartbeat",
  },
  maxLifetimeMs: {
    name: "max-lifetime",
    kind: orOff(duration(1_000)),
    default: "off",
    meaning: "a worker that has served so long is recycled",
  },

  probesPort: {
    name: "probes-port",
    group: "Probes, metrics and log",
    kind: port,
    default: 9_000,
    meaning: "port of /live, /ready and /health",
  },
  metricsPort: { name: "metrics-port", kind: port, default: 9_464, meaning: "port of /metrics and /status" },
  metricsHost: {
    name: "metrics-host",
    kind: host,
    default: null,
    unset: "all interfaces",
    meaning: "address that the metrics port is bound on",
  },
  control: {
    name: "control",
    kind: text("<path|off>", 'the path of a socket, or "off"'),
    default: null,
    unset: "rollcall-PID.sock",
    meaning:
      "socket for rollcall status, reload and the like, in $XDG_RUNTIME_DIR or the temporary folder unless a path is given; off for none",
  },
  logLevel: {
    name: "log-level",
    kind: oneOf("<level>", "trace", "debug", "info", "warn", "error", "fatal", "silent"),
    default: "info",
    meaning: "the master's own log: trace, debug, info, warn, error, fatal or silent",
  },
  logFormat: {
    name: "log-format",
    kind: oneOf("<form>", "json", "pretty"),
    default: "json",
    onTerminal: "pretty",
    meaning: "json or pretty",
  },

  nodeArgs: {
    name: "node-arg",
    group: "Processes",
    kind: listOf(nodeFlag),
    default: [],
    meaning: "flag for the children's Node.js; repeatable",
  },
  debugPort: {
    name: "debug-port",
    kind: port,
    default: null,
    meaning: "the agent's inspector listens there on 127.0.0.1, each worker's on this port, its slot and one",
  },
  imports: { name: "import", kind: preload, default: [], meaning: "module that children load first; repeatable" },
  requires: { name: "require", kind: preload, default: [], meaning: "the same, by require; repeatable" },
  env: {
    name: "env",
    kind: environment,
    default: {},
    meaning: "environment of the children; repeatable",
  },
  cwd: {
    name: "cwd",
    kind: folder,
    default: null,
    unset: "where Rollcall was started",
    meaning: "working folder; all paths start from it",
  },
  keepDescendants: {
    name: "keep-descendants",
    kind: toggle,
    default: false,
    meaning: "spare what a child has started in a session of its own (detached: true, setsid) when the child ends",
  },
  cpuScheduling: {
    name: "cpu-scheduling",
    kind: oneOf("<policy>", "auto", "batch", "inherit"),
    default: "auto",
    meaning:
      "batch: a worker that wakes up pushes nobody off a CPU; inherit: as the master was started; auto is batch while there are more workers than CPUs (Linux, needs chrt)",
  },
  subreaper: {
    name: "subreaper",
    kind: toggle,
    default: false,
    meaning: "adopt and reap orphans also where this is not PID 1 (Linux, needs koffi)",
  },
  title: { name: "title", kind: text("<text>", "a title"), default: null, meaning: "process title, as ps shows it" },
  pidFile: { name: "pid-file", kind: file, default: null, meaning: "file to write the master's pid to" },
  config: {
    name: "config",
    kind: file,
    default: null,
    unset: "rollcall.config.*",
    meaning: "a .ts, .js, .mjs, .cjs or .json file",
  },
};
