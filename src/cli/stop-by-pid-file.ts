// `rollcall stop --pid-file <file>`: stops the service that has written the file, by signals, and waits until it has ended. Runs in the CLI.
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT_CODES } from "../errors.ts";
import { type PidFile, readPidFile } from "../system/pid-file.ts";
import { readStat } from "../system/procfs.ts";
import { flagValueAt } from "./flag-value.ts";
import { fail } from "./report.ts";

const FLAG = "--pid-file";
/** Copies of a signal within 500 ms are one signal to the master. */
const SECOND_SIGNAL_MS = 700;
const LOOK_MS = 50;
/** So long a process may stand still before it is told. */
const STOPPED_MS = 10_000;

/** Whether the arguments are for this file. */
export function namesPidFile(argv: readonly string[]): boolean {
  return argv.some((_, index) => flagValueAt(argv, index, FLAG) !== null);
}

export async function stopByPidFile(argv: readonly string[]): Promise<void> {
  let path = "";
  let fast = false;
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index];
    const named = flagValueAt(argv, index, FLAG);
    if (named !== null) {
      path = named.value;
      index += named.length - 1;
    } else if (word === "--fast") fast = true;
    else return fail(`stop: unexpected "${word}" beside ${FLAG}; see rollcall stop --help`, EXIT_CODES.usage);
  }
  if (path === "") return fail(`${FLAG}: expected the path of a file`, EXIT_CODES.usage);
  let found: PidFile;
  try {
    found = readPidFile(path);
  } catch (error) {
    return fail(`cannot read ${path}: ${(error as Error).message}`, EXIT_CODES.internal);
  }
  switch (found.state) {
    case "absent":
      return fail(`there is no pid file ${path}: is the service running, and was it started with ${FLAG} ${path}?`, EXIT_CODES.internal);
    case "foreign":
      return fail(`${path} is no pid file: expected one line with a number`, EXIT_CODES.internal);
    case "stale":
      return fail(
        `${path} is left over: its service${found.pid === 0 ? "" : ` (process ${found.pid})`} is not running`,
        EXIT_CODES.internal,
      );
    case "live":
      return stop(found.pid, fast);
    default:
      found satisfies never;
  }
}

async function stop(pid: number, fast: boolean): Promise<void> {
  const isThere = watch(pid);
  try {
    process.kill(pid, "SIGTERM");
    console.log(`stop: under way (pid ${pid})`);
    if (fast) await sleep(SECOND_SIGNAL_MS);
    if (fast && isThere()) process.kill(pid, "SIGTERM");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EPERM")
      return fail(`process ${pid} is another user's: run this as the user of the service, or as root`, EXIT_CODES.internal);
    if (code !== "ESRCH") return fail(message, EXIT_CODES.internal);
  }
  // The service bounds its own stop, unless it stands still.
  let movedAt = performance.now();
  while (isThere()) {
    if (readStat(pid)?.state !== "T") movedAt = performance.now();
    if (performance.now() - movedAt > STOPPED_MS)
      return fail(`process ${pid} is stopped (SIGSTOP): it will stop when it goes on (SIGCONT)`, EXIT_CODES.internal);
    await sleep(LOOK_MS);
  }
  console.log("stopped: the service has ended");
}

/** Tells whether this very process, and not a later one of its pid, is still there. */
function watch(pid: number): () => boolean {
  const before = readStat(pid);
  return () => {
    const now = readStat(pid);
    if (before !== null) return now !== null && !now.isGone && now.startTime === before.startTime;
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
}
