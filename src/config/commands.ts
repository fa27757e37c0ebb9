// The one table of commands: their usage and what their help says. Runs in the CLI. Pure.

export interface CommandHelp {
  readonly name: string;
  /** As in the list of commands. */
  readonly usage: string;
  /** One line. */
  readonly meaning: string;
  /** Paragraphs of the command's own help; without them it has none. */
  readonly details?: readonly string[];
  readonly options?: readonly (readonly [flag: string, meaning: string])[];
  readonly exits: readonly (readonly [code: string, meaning: string])[];
  /** It talks to a running service. */
  readonly connects?: boolean;
}

/** What every command takes that talks to a running service. */
export const CONNECTION: readonly (readonly [flag: string, meaning: string])[] = [
  ["--control <path>", "the service's control socket; needed only where several services run, or at an unusual place"],
  ["--json", "one JSON object a line, for scripts"],
];

export const COMMANDS: readonly CommandHelp[] = [
  { name: "run", usage: "run", meaning: "run the service in the foreground (the default)", exits: [] },
  {
    name: "start",
    usage: "start [--daemon]",
    meaning: "the same, or with --daemon in the background of a bare machine",
    details: [
      "With --daemon the service gets a session of its own, and this command returns when it is ready, or with its error and its exit code. " +
        "All options of rollcall run count. In a container the service runs in the foreground, without --daemon.",
      "With --pid-file <file> a second service on the same file is refused while the first one lives, and rollcall stop --pid-file <file> " +
        "ends it; without, rollcall stop finds it by its control socket.",
    ],
    options: [
      ["--daemon", "in the background"],
      ["--log-file <file>", "where its output goes, with what is there already kept (default rollcall.log)"],
    ],
    exits: [
      ["0", "the service is ready"],
      ["1 to 7", "it did not start: the exit code of the service, whose error is said"],
    ],
  },
  {
    name: "status",
    usage: "status [--json]",
    meaning: "show what is running",
    details: ["Shows the service, and a row for each of its processes. With --json the same object as /status on the metrics port."],
    exits: [
      ["0", "the service has answered, whatever its state"],
      ["1", "no service was found"],
    ],
    connects: true,
  },
  {
    name: "reload",
    usage: "reload [--agent]",
    meaning: "replace all workers, one at a time, by new code",
    details: [
      "Starts a new generation, slot by slot: the successor first, then the old worker drains. New code that does not start ends the reload, and " +
        "the old workers keep serving. Waits until every slot runs the new generation and the old workers have gone. A reload that is queued " +
        "behind a running one waits for its own.",
    ],
    options: [["--agent", "replace the agent first"]],
    exits: [
      ["0", "every worker runs the new generation"],
      ["1", "the reload failed, and why is said; or no service was found"],
    ],
    connects: true,
  },
  {
    name: "scale",
    usage: "scale <n|+n|-n>",
    meaning: "change the number of workers",
    details: ["Waits until the new workers are ready and those that are too many have drained and gone."],
    exits: [
      ["0", "the service has that many workers"],
      ["1", "a new worker failed to start, or the number was changed again; or no service was found"],
    ],
    connects: true,
  },
  {
    name: "restart",
    usage: "restart <agent|slot>",
    meaning: "replace one child",
    details: ["Replaces the agent, or the worker of a slot, and waits until the new process is ready and the old one has gone."],
    exits: [
      ["0", "the new process is ready and the old one gone"],
      ["1", "the new process failed; or no service was found"],
    ],
    connects: true,
  },
  {
    name: "drain",
    usage: "drain",
    meaning: "fail readiness on purpose, for maintenance",
    details: [
      "/ready answers 500 until rollcall undrain, so that balancers send nothing new. The workers keep serving what comes all the same.",
    ],
    exits: [
      ["0", "readiness is off"],
      ["1", "the service is stopping; or no service was found"],
    ],
    connects: true,
  },
  {
    name: "undrain",
    usage: "undrain",
    meaning: "take that back",
    details: ["/ready follows the workers again."],
    exits: [
      ["0", "readiness follows the workers"],
      ["1", "the service is stopping; or no service was found"],
    ],
    connects: true,
  },
  {
    name: "stop",
    usage: "stop [--fast]",
    meaning: "stop the service, as SIGTERM does",
    details: ["Waits until the service has ended, and says with which exit code."],
    options: [
      ["--fast", "as a second SIGTERM: what is left after 2 s is killed"],
      ["--pid-file <file>", "the service that has written this file, by signals"],
    ],
    exits: [
      ["0", "the service has ended"],
      ["1", "no service was found"],
    ],
    connects: true,
  },
  { name: "health", usage: "health [live|ready]", meaning: "exit 0 or 1, for HEALTHCHECK (default live)", exits: [] },
  { name: "config", usage: "config [--json]", meaning: "show all values and where each came from", exits: [] },
];
