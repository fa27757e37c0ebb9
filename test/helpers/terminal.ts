// A real terminal for a command: python3's pty module. TERM to the python process types Ctrl-C in the terminal.
import { spawnSync } from "node:child_process";

const SCRIPT = `
import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: os.write(terminal, b"\\x03"))
try:
  while chunk := os.read(terminal, 65536): os.write(1, chunk)
except OSError: pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
`;

/** Put before a command. */
export const IN_A_TERMINAL: readonly string[] = ["python3", "-c", SCRIPT];

const JOB = `
import os, sys
pid = os.fork()
if pid == 0:
  os.setpgid(0, 0)
  os.execvp(sys.argv[1], sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
`;

/** Put before a command, runs it as a shell with job control does: in a process group of its own, whose parent is in the same session. */
export const AS_A_JOB: readonly string[] = ["python3", "-c", JOB];

/** False, or why a test without a terminal is skipped. */
export function noTerminal(): false | string {
  return spawnSync("python3", ["-c", "import pty"]).status !== 0 && "python3 is not installed";
}
