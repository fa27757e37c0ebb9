// Writes the pages that come from the code: `node scripts/write-docs.ts`. A test holds each page to what it comes from.
// Runs on a developer's machine only.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { CONFIG_FILES } from "../src/config/file.ts";
import { exitCodes, groups } from "../src/config/help.ts";
import { type AnyOption, defaultText, envNameOf } from "../src/config/option-list.ts";
import { USAGE } from "../src/config/options.ts";
import { createMetrics, type MetricDescription } from "../src/master/metrics/metrics.ts";
import { eggClusterPage } from "../test/conformance/egg-cluster/list/page.ts";

export const CONFIGURATION_PAGE: string = fileURLToPath(new URL("../docs/configuration.md", import.meta.url));

export const METRICS_PAGE: string = fileURLToPath(new URL("../docs/metrics.md", import.meta.url));

export const EGG_CLUSTER_PAGE: string = fileURLToPath(new URL("../docs/egg-cluster.md", import.meta.url));

/** docs/configuration.md, as Markdown. */
export function configurationPage(): string {
  return `<!-- Generated from src/config/options.ts by \`node scripts/write-docs.ts\`. Do not edit by hand. -->

# Configuration

\`\`\`sh
${USAGE}
\`\`\`

Everything has a default but the app. \`rollcall config\`, followed by what you would give to \`rollcall run\`, shows the
effective value of every option and where it came from. All problems, of all sources, are reported at once, and Rollcall
exits with code 2 before it starts anything.

## Where values come from

The strongest source wins. A list or a map is taken whole from one source; lists are not joined.

1. **Flags**: \`--workers 4\` or \`--workers=4\`. Of a flag given twice the last one counts; a repeatable one adds up.
   What follows \`--\` belongs to the app.
2. **Environment**: \`ROLLCALL_WORKERS=4\`. An empty variable counts as unset. Lists are separated by commas
   (\`ROLLCALL_PORT=3000,3001\`, \`ROLLCALL_ENV=A=1,B=2\`) or written as JSON where a value has a comma of its own
   (\`ROLLCALL_NODE_ARG='["--conditions=a,b"]'\`). Any other variable that starts with \`ROLLCALL_\` is refused, but for
   \`ROLLCALL_CPUS\` (the number of CPUs to reckon with) and what Rollcall sets for its own processes: \`ROLLCALL_ROLE\`,
   \`ROLLCALL_SLOT\`, \`ROLLCALL_LIFE\`, \`ROLLCALL_CHILD\`, \`ROLLCALL_PARENT\`, \`ROLLCALL_EGG_OPTIONS\` and \`ROLLCALL_INIT\`.
   What Kubernetes writes for a Service that is called \`rollcall\` or \`rollcall-…\` is ignored.
3. **A config file**: \`--config <file>\`, else the first of ${CONFIG_FILES.map((name) => `\`${name}\``).join(", ")} in the
   working folder, else the key \`rollcall\` of its \`package.json\`.
4. **\`PORT\`**, for \`port\` alone; the path of a socket is left to the app.
5. **Defaults**. Some depend on the place: Kubernetes is recognised by \`KUBERNETES_SERVICE_HOST\`.

## Config files

Keys are the options' names in camelCase (\`stopTimeout\`) or as they are (\`stop-timeout\`). Lists are arrays, \`env\` is a
map, and the options of the backoff and of https may be nested. \`null\` counts as not given, and a \`$schema\` key is left to editors.

\`\`\`json
{
  "app": "dist/server.js",
  "workers": "50%",
  "port": [3000, 3001],
  "stopTimeout": "20s",
  "backoff": { "delay": "1s", "limit": "1m" },
  "env": { "LOG_DIR": "/var/log/app" }
}
\`\`\`

A file that is code (\`.ts\`, \`.js\`, \`.mjs\`, \`.cjs\`) has a default export: such an object, or a function, async or not,
that returns one. It must be plain JSON. The master never loads it: a short-lived child does, with a deadline of 10
seconds; what the code prints goes to stderr. TypeScript runs by Node's type stripping, so only erasable syntax works.
Where \`package.json\` says \`"type": "commonjs"\`, write \`module.exports = …\`, or name the file \`rollcall.config.mjs\`.

\`\`\`ts
export default async () => ({
  app: "server.ts",
  workers: process.env.NODE_ENV === "production" ? "auto" : 1,
});
\`\`\`

## Paths

\`cwd\` is applied first. The config file, the app, the agent, the pid file, the files of https, and an \`import\` or \`require\` that starts with
\`./\`, \`../\` or \`/\` start from it; the name of a package is left to Node. A \`cwd\` inside the config file starts from the
folder that the file was looked for in. \`--egg <folder>\` without \`--cwd\` makes that the children's working folder and moves
no path that is given beside it; only the application's own config file is looked for there, and the paths in it start there.
App and agent are found as \`node <path>\` finds them: the extension may be left out,
and a folder stands for its \`main\` or its index.

Links are followed anew at each start of a child: after \`ln -sfn releases/2 current\`, a \`rollcall reload\` of
\`current/server.js\` runs the new release.

## NODE_OPTIONS

What is in \`NODE_OPTIONS\` holds for the master too: a \`--require\` or \`--import\` there runs a module of yours in it, and
the log warns. Give it to the children alone: \`--import ./apm.mjs\`, \`--node-arg\`, or \`--env NODE_OPTIONS=…\`.

## Values

| kind | how to write it |
|---|---|
| time | \`500ms\`, \`5s\`, \`1.5s\`, \`2m\`, \`1h\`; a bare number is milliseconds (\`5000\`), and from 100 on where it is typed: \`5\` might be seconds; at most 576h |
| on or off | \`--keep-descendants\`, \`--keep-descendants=off\`; \`on\` or \`off\` in the environment, \`true\` or \`false\` in a file |
| port | \`0\` to \`65535\`; \`0\` takes any free port |
| percentage | \`10%\`, or \`0.1\` (of the CPUs: only \`50%\`, since \`2\` is a number of workers) |
| address | \`127.0.0.1\`, \`::\`, \`localhost\`: without a port, without brackets |

## Options

${groups()
  .map(([title, options]) => `### ${title}\n\n${table(["option", "environment", "default", "meaning"], options.map(optionRow))}`)
  .join("\n\n")}

Values that must fit each other: \`drain-delay\` is less than \`stop-timeout\`; \`min-ready\` is not above a number given as
\`workers\`; \`backoff-delay\` is not above \`backoff-limit\`; all ports differ, but for those that are 0.

## Exit codes

${table(["exit", "when"], exitCodes())}
`;
}

function optionRow(option: AnyOption): readonly string[] {
  const name = option.key === "app" ? "`<app>`" : `\`${`--${option.name} ${option.kind.placeholder}`.trimEnd()}\``;
  return [name, `\`${envNameOf(option)}\``, defaultText(option), option.meaning];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** docs/metrics.md, as Markdown. */
export function metricsPage(): string {
  const unused = (): never => {
    throw new Error("the docs scrape nothing");
  };
  const connections = { acceptQueues: unused, droppedConnections: unused, movedConnections: unused };
  const sources = { ...connections, state: unused, now: unused, orphans: unused, messages: unused };
  const all = createMetrics({ version: "0", hasAgent: true, ...sources }).describe();
  const own = all.filter((metric) => metric.name.startsWith("rollcall_"));
  const master = all.filter((metric) => !metric.name.startsWith("rollcall_"));
  return `<!-- Generated from src/master/metrics/metrics.ts by \`node scripts/write-docs.ts\`. Do not edit by hand. -->

# Metrics

The master serves them on \`:9464/metrics\` (\`--metrics-port\`, \`--metrics-host\`), in the Prometheus text format. The counters live in
the master, so they survive every child and never go backwards while the service runs. Labels are bounded: \`role\` is \`agent\` or
\`worker\`, \`slot\` is a worker's stable place, none is ever a pid. Counters and histograms start at 0, so that \`rate()\` sees the first
event. \`:9464/status\` says the same for people and scripts, as JSON; it never shows values of the environment.

## Of the service

${table(["metric", "type", "labels", "meaning"], own.map(metricRow))}

What children say of themselves (lag, utilization, memory, requests, CPU) comes with their heartbeats, once a second: the last moment of a
process that was killed may be missing from it. Of a slot that was scaled away the counters stay.

## Of the master itself

The default metrics of prom-client, but for its three gauges that are named like counters, which promtool rejects.

${table(["metric", "type", "labels", "meaning"], master.map(metricRow))}

## Questions

| question | query |
|---|---|
| is anybody home? | \`rollcall_ready == 0\` |
| which services crash? | \`sum by (instance) (increase(rollcall_process_exits_total{outcome=~"crash|boot_failure|killed|oom|unresponsive"}[10m])) > 0\` |
| is anything saturated? | \`max by (instance) (rollcall_event_loop_utilization_ratio{role="worker"}) > 0.9\` |
| are all workers there? | \`rollcall_processes{role="worker",state="ready"} < on (instance) group_left rollcall_workers_target\` |
| were clients cut off? | \`increase(rollcall_connections_cut_total[1h]) > 0\` |
`;
}

function metricRow({ name, type, labels, help }: MetricDescription): readonly string[] {
  return [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(", "), help];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(CONFIGURATION_PAGE, configurationPage());
  writeFileSync(METRICS_PAGE, metricsPage());
  writeFileSync(EGG_CLUSTER_PAGE, eggClusterPage());
}
