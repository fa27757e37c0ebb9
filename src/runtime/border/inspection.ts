// Lets the master ask a hung child for its stack: on SIGUSR1 Node opens its inspector, here at a port of its own and not at the one that the next child
// has taken already. Runs in a child.

/** An app that was started for a debugger keeps the port that was chosen for it. */
export function freeInspectorPort(): void {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ""];
  if (!flags.some((flag) => flag.includes("--inspect"))) process.debugPort = 0;
}
