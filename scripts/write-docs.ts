// Writes docs/configuration.md from the table of options: `node scripts/write-docs.ts`. A test holds the page to it.
// Runs on a developer's machine only.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { CONFIG_FILES } from "../src/config/file.ts";
import { exitCodes, groups } from "../src/config/help.ts";
import { type AnyOption, defaultText, envNameOf } from "../src/config/option-list.ts";
import { USAGE } from "../src/config/options.ts";

export const CONFIGURATION_PAGE: string = fileURLToPath(new URL("../docs/configuration.md", import.meta.url));

/** The whole page, as Markdown. */
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
   \`ROLLCALL_CPUS\` (the number of CPUs to reckon with) and \`ROLLCALL_CHILD\` (set by Rollcall in its children).
   What Kubernetes writes for a Service that is called \`rollcall\` or \`rollcall-…\` is ignored.
3. **A config file**: \`--config <file>\`, else the first of ${CONFIG_FILES.map((name) => `\`${name}\``).join(", ")} in the
   working folder, else the key \`rollcall\` of its \`package.json\`.
4. **\`PORT\`**, for \`port\` alone.
5. **Defaults**. Some depend on the place: Kubernetes is recognised by \`KUBERNETES_SERVICE_HOST\`.

## Config files

Keys are the options' names in camelCase (\`stopTimeout\`) or as they are (\`stop-timeout\`). Lists are arrays, \`env\` is a
map, and the options of the backoff may be nested. \`null\` counts as not given, and a \`$schema\` key is left to editors.

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

\`\`\`ts
export default async () => ({
  app: "server.ts",
  workers: process.env.NODE_ENV === "production" ? "auto" : 1,
});
\`\`\`

## Paths

\`cwd\` is applied first. The config file, the app, the agent, the pid file, and an \`import\` or \`require\` that starts with
\`./\`, \`../\` or \`/\` start from it; the name of a package is left to Node. A \`cwd\` inside the config file starts from the
folder that the file was looked for in. App and agent are found as \`node <path>\` finds them: the extension may be left out,
and a folder stands for its \`main\` or its index.

## Values

| kind | how to write it |
|---|---|
| time | \`500ms\`, \`5s\`, \`1.5s\`, \`2m\`, \`1h\`; a bare number is milliseconds (\`5000\`); at most 576h |
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
  const name = option.key === "app" ? "`<app>`" : `\`--${option.name} ${option.kind.placeholder}\``;
  return [name, `\`${envNameOf(option)}\``, defaultText(option), option.meaning];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(CONFIGURATION_PAGE, configurationPage());
