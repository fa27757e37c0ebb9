// The tests of egg-cluster itself (2.4.0, and what 4 adds), case by case.
import * as by from "./held-by.ts";
import { at, type Chapter, notOurs, ours, same } from "./row.ts";

const DEBUG =
  "Inspectors are asked for by `--debug-port`, which names the agent's port; slot n has the port n + 1 above it, through restarts too.";
const ALL_ENVIRONMENTS = "What dies is replaced in every environment; a developer's machine is no exception.";
const EXIT_3 = "Exit 3; 1 is for errors of the master's own.";
const EXIT_4 = "Exit 4; 1 is for errors of the master's own.";
const NO_FORMAT =
  "The error is shown whole, with name, code and stack, as Node shows it; the link to Egg's FAQ is Egg's own loggers' to add.";
const ONE_BUDGET =
  "One budget for all of it, `--stop-timeout`: requests in hand are finished within it, exit 8 when something had to be killed.";
const NO_INSPECTOR =
  '`startMode: "worker_threads"` is `--agent-mode thread`, and a thread has no inspector of its own: debug the agent in a process.';

export const EGG_CLUSTER: readonly Chapter[] = [
  {
    title: "egg-cluster: agent_worker.test.js",
    rows: [
      ours("support config agent debug port", DEBUG, by.DEBUG_PORT),
      ours("agent debug port default 5800", `${DEBUG} There is no default.`, by.DEBUG_PORT),
      ours("should exist when error happened during boot", EXIT_4, by.BAD_AGENT, by.ENDS.agentThrows),
      same("should not start app when error happened during agent starting", by.BAD_AGENT),
      same("should refork new agent_worker after app started", by.AGENT_RESTART),
      same(
        "should exit agent_worker when master die in accident",
        at("conformance/exit-codes/pid-1.test.ts", "the exit code of children 110: their master died"),
      ),
      ours(
        "should master exit when agent exit during app worker boot",
        "Exit 4, and the workers that boot are ended first: theirs leaves them behind.",
        by.AGENT_DIES_IN_BOOT,
      ),
      ours("should exit when emit error during agent worker boot", EXIT_4, by.ENDS.agentEmits),
      ours("should FrameworkErrorformater work during agent boot", NO_FORMAT, by.ENDS.agentThrows),
      ours("should FrameworkErrorformater work during agent boot ready", NO_FORMAT, by.ENDS.agentFails),
      same("master should not die if spawn error (no process.send)", by.BAD_AGENT),
      same("should support custom logger in agent", by.AGENT_LOGS),
    ],
  },
  {
    title: "egg-cluster: app_worker.test.js",
    rows: [
      same("should emit `server`", by.SERVER_EVENT),
      ours("should exit when app worker error during boot", EXIT_3, by.BAD_APP, by.ENDS.appThrows),
      ours("should exit when emit error during app worker boot", EXIT_3, by.ENDS.appEmits),
      ours("should FrameworkErrorformater work during app boot", NO_FORMAT, by.ENDS.appThrows),
      ours("should FrameworkErrorformater work during app boot ready", NO_FORMAT, by.ENDS.appFails),
      same("should remove error listener after ready", by.SERVER_EVENT),
      same(
        "should ignore listen to other port",
        at("integration/bad-apps.test.ts", "listening on another port than declared, with a warning that names both"),
      ),
      same("env default: should restart", by.CRASH_BOTH),
      ours("env local: should restart (in fact: is not forked again)", ALL_ENVIRONMENTS, by.CRASH_BOTH),
      ours("env local, SIGKILL: should exit", ALL_ENVIRONMENTS, by.CRASH_BOTH),
      ours(
        "app start timeout: should exit",
        "Exit 3. Egg's own `workerStartTimeout` and `--boot-timeout` both count, the shorter one first.",
        by.ENDS.late,
        by.NEVER_LISTENS,
      ),
      same("should error then port is not specified", by.ENDS.noPort),
      same("should use port in config", by.CONFIG_LISTEN),
      same("should use hostname in config", by.CONFIG_LISTEN),
      same("should use path in config", by.CONFIG_SOCKET),
      ours(
        "should exit when EADDRINUSE",
        "Exit 7, and who holds the port is named.",
        at("integration/bad-input.test.ts", "a port that the app chose itself"),
      ),
      same(
        "should refork when app_worker exit",
        by.LEAVES,
        at(
          "integration/metrics.test.ts",
          "keeps every counter through three rounds of kill -9 of every child, and has no pid in any label",
        ),
      ),
      same("should not refork when starting", at("integration/bad-apps.test.ts", "an exit with 0 before it listened")),
    ],
  },
  {
    title: "egg-cluster: https.test.js",
    rows: [
      same("cluster options: should success with status 200", by.HTTPS_AND_DEBUG),
      same("cluster options: should listen https and http at the same time", by.HTTPS_AND_DEBUG),
      same("app config: should success with status 200", by.CERTIFICATE),
    ],
  },
  {
    title: "egg-cluster: master.test.js",
    rows: [
      same("start success in local env", by.OPTIONS),
      same("start success in prod env", by.FIRST_LIGHT),
      ours(
        "should print process.on.HOST while egg started",
        "The address is the one that is listened on; `HOST` is not read. `--host` is how to choose it.",
        by.PARENT_HEARS,
      ),
      ours(
        "should not print process.on.HOST if it equals 0.0.0.0",
        "`HOST` is not read; all interfaces are told as 127.0.0.1.",
        by.PARENT_HEARS,
      ),
      ours("master will close agent and app worker", ONE_BUDGET, by.STOP, by.STOPS_CLUSTER),
      same("master kill by SIGKILL and agent, app worker exit too", by.LOST_MASTER),
      same("master kill by SIGKILL and exit multi workers", by.LOST_MASTER),
      same("use SIGTERM close master", by.SIGNALS),
      same("use SIGQUIT close master", by.SIGNALS),
      same("use SIGINT close master", by.SIGNALS),
      ours(
        "should close when set EGG_MASTER_CLOSE_TIMEOUT",
        `${ONE_BUDGET} The \`EGG_*_CLOSE_TIMEOUT\` variables are not read.`,
        at("integration/stop.test.ts", "cuts a request that outlasts the budget at the deadline, counts it, and exits 0"),
        by.HOOK_CUT,
      ),
      same(
        "kill order",
        by.STOP,
        at(
          "integration/stop.test.ts",
          "W3: SIGKILLs an agent with a blocked event loop at the deadline, after the workers have ended in order, and exits 8",
        ),
      ),
      same(
        "close master will terminate all sub processes",
        at("integration/descendants.test.ts", "go with a stop, all of them, and nothing else does"),
      ),
      same(
        "close master will terminate all sub processes with sigkill",
        at("integration/descendants.test.ts", "that ignore SIGTERM are killed a while later, and the log says so"),
      ),
      same("master should write pid file and delete", by.DAEMON),
      same("master should ignore fail when delete pid file", by.STOPS_CLUSTER),
      same("Messenger: parent -> app/agent", by.TO_APP),
      same("Messenger: app/agent -> parent", by.TO_PARENT),
      same("Messenger: should app <-> agent (objects and plain strings)", by.PEERS),
      same("Messenger: should send multi app worker", by.PEERS, by.LETTERS),
      same("Messenger: sendTo should work", by.RECEIVER, by.LETTERS),
      same("Messenger: egg-script exit", by.PARENT_DIES),
      same("--cluster: should online cluster mode startup success", by.FIRST_LIGHT),
      same("framework start: should start with prod env", by.OPTIONS),
      ours(
        "reload worker: should restart 4 workers",
        "Not for development alone: rolling, without a lost request.",
        by.RELOAD_WORKER,
        by.RELOAD,
      ),
      same("app/agent should recieve egg-ready", by.PRESENCE, by.PARENT_HEARS),
      ours(
        "should recieve egg-ready when app restart",
        "The new worker hears it; those who have heard it do not hear it again.",
        by.PRESENCE,
      ),
      same("should recieve egg-ready when agent restart", by.PRESENCE),
      same(
        "agent: should every app worker will get message",
        at("unit/messenger/presence.test.ts", "tell of the agent when it is ready, of workers as they come, and that all are ready once"),
      ),
      same("agent should get update message after app died", by.PRESENCE),
      same("agent should get message when agent restart", by.PRESENCE),
      same("app: agent start should get message", by.PRESENCE),
      ours("should debug", DEBUG, by.DEBUG_PORT),
      ours("should debug with port", DEBUG, by.DEBUG_PORT),
      ours(
        "debug message: parent should recieve debug",
        "There is no action `debug`: `debugPort` of `egg-ready` is the agent's inspector.",
        by.DEBUG_READY,
      ),
      ours("debug message with port: parent should recieve debug", "The same.", by.DEBUG_READY),
      same("parent should not recieve debug", by.PARENT_HEARS),
      ours(
        "kill at debug: should not log err",
        `A worker that is killed is replaced, whether it is debugged or not; the others are not stopped for it.`,
        by.CRASH_BOTH,
      ),
      same("--sticky: should online sticky cluster mode startup success", by.STICKY),
      ours(
        "should not exit when local env",
        `${ALL_ENVIRONMENTS} The roll call counts in each, with \`--on-exception report\` to go on.`,
        by.ROLL_CALL,
      ),
      ours("should exit when no agent after check 3 times", "Exit 5, and liveness fails first.", by.ROLL_CALL),
      ours("should exit when no app after check 3 times", "Exit 5, and liveness fails first.", by.ROLL_CALL),
      same("beforeClose: should wait app close", by.STOPS_CLUSTER, by.STOP),
      same("--require one: should inject", by.PRELOADS),
      same("--require array: should inject", by.PRELOADS_CLUSTER),
    ],
  },
  {
    title: "egg-cluster: options.test.js",
    rows: [
      same("should return undefined by port as default", by.CONFIG_LISTEN),
      same("should start with https and listen 8443", by.HTTPS_DEFAULT),
      same("should start with httpsOptions and listen 8443", by.HTTPS_DEFAULT),
      same("should listen custom port 6001", by.OPTIONS),
      same("should set NO_DEPRECATION on production env", by.ENVIRONMENT),
      same("should not extend when port is null/undefined", by.OPTIONS),
      ours(
        "should not call os.cpus when specify workers",
        "`os.cpus()` is never asked: it knows nothing of a container's quota.",
        at("unit/config/kinds.test.ts", "reads workers as auto, a number or a share of the CPUs"),
      ),
      ours("debug: empty", `${DEBUG} The master itself is not debugged.`, by.DEBUG_PORT),
      ours("debug: --inspect", DEBUG, by.DEBUG_PORT),
      ours("debug: --debug", DEBUG, by.DEBUG_PORT),
      ours("env: default env is null", "Nothing is passed: Egg reads `EGG_SERVER_ENV` and `NODE_ENV` by itself.", by.CONFIG_ENV),
      same("env: custom env = prod", by.OPTIONS),
      ours("env: default env set to process.env.EGG_SERVER_ENV", "The variable is passed on, and Egg reads it by itself.", by.CONFIG_ENV),
      same("options: should be passed through", by.OPTIONS),
      same("framework: absolute path", by.FRAMEWORK),
      same("framework: absolute path, not exist", by.FRAMEWORK_WRONG),
      same("framework: npm package", by.FRAMEWORK),
      same("framework: npm package, not exist", by.FRAMEWORK_WRONG),
      same("framework: pkg.egg.framework", by.FRAMEWORK),
      same("framework: pkg.egg.framework, not exist", by.FRAMEWORK_WRONG),
      same("framework: egg by default", by.FRAMEWORK),
      same("framework: egg by default, not exist", by.FRAMEWORK_WRONG),
    ],
  },
  {
    title: "egg-cluster: worker_threads.test.js, and what version 4 adds",
    rows: [
      notOurs("worker_threads: support config agent debug port", NO_INSPECTOR),
      ours("worker_threads: should exit when emit error during agent worker boot", EXIT_4, by.THREAD_FAILS_AT_BOOT),
      ours(
        "reusePort: workers share a port",
        "They share held sockets, which lose nothing when a worker closes; `reusePort` is passed over.",
        at(
          "integration/listening-strategies.test.ts",
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
          "${listen}, declared: every worker serves, and each of ${declared.sockets} sockets has its workers",
        ),
      ),
      notOurs(
        "worker-protocol",
        "A test of their internals: the messages between master and entry. Ours are others, and their own tests hold them.",
      ),
      same("worker-thread-shutdown: awaits asynchronous cleanup", by.STOP),
      same("worker-thread-shutdown: releases its shutdown timeout so the process can exit naturally", by.FIRST_LIGHT),
      same(
        "worker-thread-shutdown: skips exited workers and cannot refork after shutdown",
        at(
          "integration/signals-reload.test.ts",
          "while a TERM has begun the stop, is ignored; TERM during a reload stops with 0 and nothing left",
        ),
      ),
    ],
  },
];
