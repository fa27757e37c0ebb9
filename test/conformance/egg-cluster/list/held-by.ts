// The tests that hold most lines of the list, by what they are about.
import { at, type Holder } from "./row.ts";

const CLUSTER = "conformance/egg-cluster/cluster.test.ts";
const STARTS = "conformance/egg-cluster/starts.test.ts";
const ALONE = "conformance/egg-cluster/alone.test.ts";

export const AGENT_RESTART: Holder = at("integration/restarts.test.ts", "restarts a killed agent while the workers live on");
export const AGENT_SURVIVES: Holder = at(
  "integration/restarts.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  'with agent-uncaught ${choice}, an uncaught exception ${choice === "survive" ? "is logged only" : "costs the agent"}',
);
export const AGENT_THROWS_A_WORD: Holder = at(CLUSTER, "the agent lives on when it throws, be it a mere word");
export const ALONE_SENDS: Holder = at(ALONE, "under plain node the messenger reaches the only process there is, and nobody else");
export const BAD_AGENT: Holder = at("integration/bad-apps.test.ts", "an agent that cannot start ends with 4, and no worker is started:");
export const BAD_APP: Holder = at("integration/bad-apps.test.ts", "a throw while it loads");
export const CERTIFICATE: Holder = at(STARTS, "by https where its config has a key and a certificate");
export const CONFIG_LISTEN: Holder = at(
  STARTS,
  "on the port and the host name of its config, in the environment as it is; a second one has a clusterPort of its own",
);
/** The same test. */
export const CONFIG_ENV: Holder = CONFIG_LISTEN;
export const CONFIG_SOCKET: Holder = at(STARTS, "on the unix socket of its config");
export const CRASH_BOTH: Holder = at(
  "integration/restarts.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  'restarts both workers when both crash, with NODE_ENV ${env ?? "unset"}',
);
export const CRASH_LOOP: Holder = at(
  "integration/restarts.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  "ends a crash loop of the ${lost} with exit 6 within max-restarts (${verb})",
);
export const DAEMON: Holder = at(
  "integration/daemon.test.ts",
  "returns when it is ready, keeps others off its pid file, and is stopped by it",
);
export const DAEMON_FAILS: Holder = at("integration/daemon.test.ts", "that does not start says why, with the exit code of the service");
export const DAEMON_LEFT: Holder = at("integration/daemon.test.ts", "that nobody waits for any longer is stopped");
export const DEBUG_PORT: Holder = at(
  "integration/child-options.test.ts",
  "--debug-port gives the agent and every slot an inspector, which a successor takes over",
);
export const DEBUG_READY: Holder = at(STARTS, "a parent that asks for inspectors is told the agent's in egg-ready");
export const DISCOVERY: Holder = at(
  "integration/control-discovery.test.ts",
  "finds the only live one, and clears away what the dead have left",
);
export const DISCOVERY_MANY: Holder = at(
  "integration/control-discovery.test.ts",
  "lists several with pid and title, exits 2, and touches none",
);
export const EGG: Holder = at("integration/egg.test.ts", "starts, hears who is there, sends in all directions, and keeps its schedules");
export const ENVIRONMENT: Holder = at(
  CLUSTER,
  "the environment reaches the workers, with NO_DEPRECATION in production and cfork's index by slot",
);
export const FRAMEWORK: Holder = at(
  "unit/config/egg.test.ts",
  "finds the framework: what is asked for, what package.json says, else egg; here or further up",
);
export const FRAMEWORK_WRONG: Holder = at("unit/config/egg.test.ts", "says what is wrong");
export const FIRST_LIGHT: Holder = at(
  "integration/first-light.test.ts",
  "starts, serves, answers the probes and the metrics port, and stops with 0 and nothing left",
);
export const FOLDER: Holder = at("unit/config/egg.test.ts", "takes the working folder, or the one that is named and works there");
export const HOOKS: Holder = at(
  "integration/app-api.test.ts",
  "shutdownSignal aborts at the drain's begin; hooks run once after the last request, and a failing one stops no other",
);
export const HOOK_CUT: Holder = at("integration/stop.test.ts", "W20: cuts a shutdown hook of 60 s at the deadline, says so, and exits 0");
export const HTTPS_AND_DEBUG: Holder = at(
  STARTS,
  "https and debugPort: the one is encrypted, the other is the same application in the clear",
);
export const HTTPS_DEFAULT: Holder = at(STARTS, "with 7 where https is to have egg-cluster's default port 8443 and that is taken");
export const IGNORED_CODE: Holder = at(
  CLUSTER,
  "an error that the application ignores costs no worker, another one does; its successor has its index",
);
export const LEAVES: Holder = at(
  "integration/restarts.test.ts",
  "replaces a worker that leaves with exit 0 unasked, and counts it as a crash",
);
export const LETTERS: Holder = at("integration/messenger.test.ts", "letters go where they are sent, and say where they come from");
export const LOST_MASTER: Holder = at("integration/lost-master.test.ts", "exit 110 at once when they have nothing in hand");
export const NEVER_LISTENS: Holder = at(
  "integration/bad-apps.test.ts",
  "never listening, named at the boot timeout with what was waited for",
);
export const NO_COPIES: Holder = at("integration/signals.test.ts", "W10: TERM, INT, QUIT and HUP to the children alone do nothing");
export const NO_SHELL: Holder = at("conformance/egg-cluster/list.test.ts", "nothing in src/ starts a shell");
export const OPTIONS: Holder = at(CLUSTER, "options reach the application untouched, and null is none");
export const PARENT_DIES: Holder = at("integration/parent.test.ts", "may die: the service goes on and says so");
export const PARENT_HEARS: Holder = at(
  "integration/parent.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  "hears egg-ready with where the service is, and stops it by a signal (${serialization})",
);
export const PEERS: Holder = at(CLUSTER, "agent and workers hear each other where a message says nothing else, a plain word too");
export const PRELOADS: Holder = at(
  "integration/child-options.test.ts",
  "--require and --import come before the app, in the agent and in workers, from the working folder",
);
export const PRELOADS_CLUSTER: Holder = at(CLUSTER, "modules of `require` come first, in the agent and in workers");
export const PRELOAD_MISSING: Holder = at(STARTS, "with 2 when a module of --require cannot be found, and names it");
export const PRESENCE: Holder = at(
  "integration/messenger.test.ts",
  "everybody hears who is there: at the start, and when the agent or a worker is replaced",
);
export const RECEIVER: Holder = at(CLUSTER, "receiverPid names one process, whatever `to` says, from the agent and from workers");
export const RELOAD: Holder = at(
  "integration/signals-reload.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  "replaces every worker under load without an error and stays ready, with a surge of ${surge}",
);
export const RELOAD_WORKER: Holder = at(
  "integration/messenger.test.ts",
  "what the master alone says is not taken from children; a reload is",
);
export const ROLL_CALL: Holder = at(
  "integration/roll-call.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  "strikes out after three roll calls when ${lost} cannot boot again: live fails, exit 5",
);
export const SERVER_EVENT: Holder = at(
  CLUSTER,
  "the application is given the server before it listens, and none listens to its errors after ready but itself",
);
export const SIGNALS: Holder = at(
  "integration/signals.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  "${signal} stops gracefully, and copies within 500 ms are one signal",
);
export const STICKY: Holder = at(
  "conformance/egg-cluster/w16-sticky.test.ts",
  "W16: sticky with one worker gone: every client is served, and no socket is left in the master",
);
export const STOP: Holder = at(
  "integration/stop.test.ts",
  "W1: finishes 10 of 10 requests of 2 s, then runs the app's TERM listeners and hooks, then the agent's, and exits 0",
);
export const THROWS: Holder = at(
  "integration/restarts.test.ts",
  "replaces workers with an uncaught exception at once, and they finish what they have in hand",
);
export const TITLE: Holder = at("integration/child-options.test.ts", "--title names every process, with what it is");
export const TO_APP: Holder = at(CLUSTER, "the parent's messages reach the agent and every worker");
export const TO_PARENT: Holder = at(CLUSTER, "messages of the agent and of workers reach the parent, and say who they are from");
export const TYPESCRIPT: Holder = at("integration/apps.test.ts", "TypeScript");

/** Starts that end, of starts.test.ts. */
export const ENDS: Readonly<
  Record<"agentEmits" | "agentFails" | "agentThrows" | "appEmits" | "appFails" | "appThrows" | "late" | "noPort", Holder>
> = {
  agentEmits: at(STARTS, "with 4 when the agent emits an error before it is ready, and no worker begins"),
  agentFails: at(STARTS, "with 4 when the agent gets ready with an error, and shows it whole"),
  agentThrows: at(STARTS, "with 4 when the agent's constructor throws"),
  appEmits: at(STARTS, "with 3 when the application emits an error before it is ready"),
  appFails: at(STARTS, "with 3 when the application gets ready with an error, and shows it whole"),
  appThrows: at(STARTS, "with 3 when the application's constructor throws"),
  late: at(STARTS, "with 3 when the application takes longer than its own workerStartTimeout"),
  noPort: at(STARTS, "with 3 when there is no port anywhere, or one that is no number"),
};

export const STOPS_CLUSTER: Holder = at(CLUSTER, "a stop closes agent and workers, ends with 0, and bears that the pid file is gone");
export const AGENT_LOGS: Holder = at(CLUSTER, "what the agent logs in its own way goes through as it is");
export const AGENT_DIES_IN_BOOT: Holder = at(
  CLUSTER,
  "an agent that dies while the workers boot ends the start with 4, and leaves no worker",
);
export const EGG_THREAD: Holder = at(
  "integration/agent-thread-egg.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  "the agent of Egg ${version} works in a thread of the master",
);
export const THREAD_FAILS_AT_BOOT: Holder = at(
  "integration/agent-thread-faults.test.ts",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
  "at boot (${boot}) ends the start with exit 4",
);
export const THREAD_SENDS: Holder = at("integration/agent-thread.test.ts", "reaches the workers by process.send and by its parent port");
