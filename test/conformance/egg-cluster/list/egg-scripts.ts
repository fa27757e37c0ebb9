// The tests of egg-scripts (eggctl), case by case.
import * as by from "./held-by.ts";
import { at, type Chapter, notOurs, ours, same } from "./row.ts";

const FLAGS = at("unit/config/flags.test.ts", "takes a word with dashes as a value unless it is a flag of Rollcall's");
const NO_BYTES =
  "Whether it has started is what the service says of itself, with its exit code; what is written to stderr counts for nothing.";
const NODE = "The Node that runs `rollcall` runs the service; there is no second one to choose.";
const ONE = "By its pid file, its control socket, or the only one that runs; titles are shown, and never matched against `ps`.";
const STRIPPED = "Node strips the types by itself; an application that needs more brings its loader with `--require` or `--import`.";

export const EGG_SCRIPTS: readonly Chapter[] = [
  {
    title: "egg-scripts: start.test.js",
    rows: [
      same("--require", by.PRELOADS),
      ours("inject incorrect script", "Exit 2 before anything is started, and the module is named.", by.PRELOAD_MISSING),
      ours("no sourcemap-support by config", "Nothing is injected; `--node-arg --enable-source-maps` asks Node for it.", FLAGS),
      same("full path start", by.CONFIG_LISTEN),
      ours("--trace-warnings", "`--node-arg --trace-warnings`; nothing is set unasked.", FLAGS),
      ours("child exit 1: spawn error", "The service's own error and exit code.", by.DAEMON_FAILS),
      same("relative path", by.FOLDER),
      same("without baseDir", by.FOLDER),
      ours("--framework", "`egg.framework` of `package.json`, or `egg: { framework }` of a config file.", by.FRAMEWORK),
      same("--title", by.TITLE),
      same("--port", by.OPTIONS),
      same(
        "process.env.PORT",
        at("unit/config/resolve.test.ts", "lets flags win over the environment, that over the file, that over PORT, that over defaults"),
      ),
      ours("--env", "`EGG_SERVER_ENV`, or `env` of `startCluster()`.", by.OPTIONS),
      same("custom env", by.ENVIRONMENT),
      ours(
        "--stdout --stderr",
        "One file for both, `--log-file` of `rollcall start --daemon`; in a container they are the container's.",
        by.DAEMON,
      ),
      ours("insecurity --stderr argument", "No shell ever sees an argument.", by.NO_SHELL),
      notOurs("--node: daemon start", NODE),
      notOurs("--node: daemon start, invalid path", NODE),
      notOurs("--node: foreground start", NODE),
      notOurs("--node: foreground start, invalid path", NODE),
      same("read cluster config", by.CONFIG_LISTEN),
      ours(
        "eggScriptsConfig",
        "The key `rollcall` of `package.json`, or a config file.",
        at("unit/config/resolve.test.ts", "reads every option from a file, and the app from each source"),
      ),
      ours("egg.revert", "`--node-arg --security-revert=…`.", FLAGS),
      same("subDir as baseDir", by.FOLDER),
      notOurs("custom node dir to PATH", NODE),
      same("kill command waits child exit", by.DAEMON),
      same("daemon: custom-framework", by.DAEMON, by.FRAMEWORK),
      same("daemon: default egg", by.DAEMON, by.FRAMEWORK),
      same("status check: success, exit 0", by.DAEMON),
      ours("status check: fail with --ignore-stderr, exit 0", NO_BYTES, by.DAEMON_FAILS),
      ours("status check: fail with --ignore-stderr by package.json, exit 0", NO_BYTES, by.DAEMON_FAILS),
      ours("status check: fail, exit 1", `${NO_BYTES} 3 for a worker, 4 for the agent.`, by.DAEMON_FAILS),
      ours(
        "status check: timeout, exit 1",
        "`--boot-timeout` ends the start, with 3 or 4; who no longer waits for it stops it.",
        by.NEVER_LISTENS,
        by.DAEMON_LEFT,
      ),
    ],
  },
  {
    title: "egg-scripts: stop.test.js",
    rows: [
      ours(
        "stop without daemon",
        "`rollcall stop`, or a signal.",
        at("integration/control-commands.test.ts", "stop returns when the service has ended, and says how"),
      ),
      same("stop with daemon", by.DAEMON),
      ours(
        "stop, not exist",
        "Exit 1, and where it was looked for.",
        by.DAEMON,
        at("integration/control-discovery.test.ts", "says that there is none, where it looked, and what to do"),
      ),
      ours("--title, exact match only", ONE, by.DISCOVERY_MANY),
      ours("--title, stop", ONE, by.DISCOVERY),
      ours("stop all", `${ONE} One at a time: with several, they are listed and none is touched.`, by.DISCOVERY_MANY),
      ours(
        "stop all, timeout: error",
        "A stop ends within its budget, and its exit code says whether something had to be killed.",
        at("integration/stop.test.ts", "W3: SIGKILLs a worker with a blocked event loop at the deadline and exits 8"),
      ),
      ours(
        "stop all, timeout: success",
        "The same.",
        at(
          "promises/p3-every-wait-has-a-deadline.test.ts",
          "ends within its budget with a blocked worker, an endless request and a hook that never ends, all at once",
        ),
      ),
      ours("symlink", `${ONE} Paths do not matter.`, by.DISCOVERY),
    ],
  },
  {
    title: "egg-scripts: ts.test.js",
    rows: [
      ours("--ts", STRIPPED, by.TYPESCRIPT, by.PRELOADS),
      ours("--typescript", STRIPPED, by.TYPESCRIPT, by.PRELOADS),
      ours("--sourcemap", "`--node-arg --enable-source-maps`; stripped types need none, for every line stays where it was.", FLAGS),
      ours("pkg.egg.typescript: stacks", STRIPPED, by.TYPESCRIPT, by.PRELOADS),
    ],
  },
];
