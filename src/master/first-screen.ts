// The first lines of a start: what runs where, and how the sizes came about.
import { relative } from "node:path";
import type { Line } from "../log.ts";
import type { Scheme } from "../messenger/wire.ts";
import type { DeskPorts } from "./desk.ts";
import type { Plan } from "./plan.ts";

interface Facts {
  readonly plan: Plan;
  readonly version: string;
  readonly configFile: string | null;
}

export function firstScreen({ plan, version, configFile }: Facts): readonly Line[] {
  const { config, sizing } = plan;
  const workers = `${sizing.workers} ${sizing.workers === 1 ? "worker" : "workers"} (${sizing.workersFrom}, ${sizing.cpusFrom})`;
  const heap = sizing.heapMiB === null ? "" : `, ${sizing.heapMiB} MiB of heap each`;
  const { egg } = config;
  const app = egg === null ? shorten(config.app) : `the Egg application ${shorten(egg.folder) || "."}`;
  const agent = config.agent === null ? "" : egg === null ? ` and the agent ${shorten(config.agent)}` : " and its agent";
  return [
    {
      level: "info",
      message: `rollcall ${version} on Node ${process.version}: ${app} with ${workers}${heap}${agent}`,
      fields: {
        version,
        app: egg?.folder ?? config.app,
        agent: config.agent,
        workers: sizing.workers,
        cpus: sizing.cpus,
        heapMiB: sizing.heapMiB,
        configFile,
      },
    },
    ...(config.agent !== null && config.agentMode === "thread" ? [THREAD_WARNING] : []),
    ...sizing.notes.map((note): Line => ({ level: "warn", message: note, fields: {} })),
  ];
}

/** What nobody should learn from an outage. */
const THREAD_WARNING: Line = {
  level: "warn",
  message:
    "agent-mode thread: the agent runs in a thread of the master. What ends a whole process, a crash in native code or one allocation far above the " +
    "heap's limit, ends the master and every worker with it; a thread has no inspector and takes no sockets",
  fields: { agentMode: "thread" },
};

/** Where to ask, once the ports are open. */
export function describeDesk({ probesPort, metricsPort }: DeskPorts, metricsHost: string | null): Line {
  const message = `probes on http://0.0.0.0:${probesPort}/{live,ready,health}, metrics on http://${urlHost(metricsHost)}:${metricsPort}/{metrics,status}`;
  return { level: "info", message, fields: { probesPort, metricsPort } };
}

/** "http://localhost:3000" for a person to click; a path for a unix socket. */
export function describeAddress(address: string, port: number | null, scheme: Scheme, anywhere = "localhost"): string {
  // An abstract socket begins with a zero byte: @ is what ss and systemd write for it.
  if (port === null) return address.replaceAll("\0", "@");
  const isAny = address === "::" || address === "0.0.0.0";
  return `${scheme}://${isAny ? anywhere : address.includes(":") ? `[${address}]` : address}:${port}`;
}

function urlHost(host: string | null): string {
  if (host === null) return "[::]";
  return host.includes(":") ? `[${host}]` : host;
}

function shorten(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}
