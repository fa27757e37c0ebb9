// The way out of a process that a thread may keep: exit() waits for every thread, and one in a call that does not return never ends. Runs in the master.

/**
 * Ends the process at once, its threads with it, by making another program of it that does nothing but exit: PID 1 cannot even kill itself. Returns where that
 * cannot be (Windows), and exit() does what it can.
 */
export function leaveAtOnce(exitCode: number): void {
  if (process.platform !== "win32") process.execve?.(process.execPath, [process.execPath, "--eval", `process.exit(${exitCode})`], {});
}
