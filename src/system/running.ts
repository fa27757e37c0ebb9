// Whether there is a process, by the one question that needs no /proc. Runs in the master and in the commands.

/** A zombie counts; the pid may be another process's by now. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
