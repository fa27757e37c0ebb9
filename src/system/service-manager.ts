// What systemd, or another service manager, hands to a service in the environment: a socket for notifications, a watchdog, listening sockets. Taken out of
// the environment at once, so that no child takes it for its own. Runs in the master, at start.

export interface Manager {
  /** Where to send notifications; null: nobody wants any. */
  readonly notifySocket: string | null;
  /** How often at least the watchdog wants to be fed, in milliseconds; null without one. */
  readonly watchdogMs: number | null;
  /** Descriptors of sockets, and their names. */
  readonly sockets: readonly { readonly fd: number; readonly name: string | null }[];
  /** What is odd about it, for the log. */
  readonly remarks: readonly string[];
}

/** The longest that a timer takes, for one that never fires. */
const LONGEST_MS = 2 ** 31 - 1;

/** SD_LISTEN_FDS_START. */
const FIRST_FD = 3;
const NAMES = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] as const;

/** Reads it, and takes it away from those who come after. */
export function takeManager(env: NodeJS.ProcessEnv, pid: number = process.pid): Manager {
  const given = Object.fromEntries(NAMES.map((name) => [name, env[name] ?? ""])) as Record<(typeof NAMES)[number], string>;
  for (const name of NAMES) delete env[name];
  const remarks: string[] = [];
  return {
    notifySocket: notifySocketOf(given.NOTIFY_SOCKET, remarks),
    watchdogMs: given.WATCHDOG_PID === "" || given.WATCHDOG_PID === String(pid) ? watchdogOf(given.WATCHDOG_USEC) : null,
    sockets: socketsOf(given, pid, remarks),
    remarks,
  };
}

function notifySocketOf(path: string, remarks: string[]): string | null {
  if (path === "") return null;
  if (path.startsWith("/") || path.startsWith("@")) return path;
  remarks.push(`NOTIFY_SOCKET: expected a path or an abstract name (@…), got "${path}"; nobody is notified`);
  return null;
}

function watchdogOf(text: string): number | null {
  const microseconds = Number(text);
  return /^\d+$/.test(text) && microseconds > 0 ? Math.min(microseconds / 1_000, LONGEST_MS) : null;
}

function socketsOf(given: Readonly<Record<"LISTEN_FDS" | "LISTEN_PID" | "LISTEN_FDNAMES", string>>, pid: number, remarks: string[]) {
  const { LISTEN_FDS: count, LISTEN_PID: meant, LISTEN_FDNAMES: names } = given;
  if (count === "" && meant === "") return [];
  if (meant !== String(pid)) {
    if (meant === String(process.ppid)) {
      remarks.push(`LISTEN_FDS: the sockets are meant for process ${meant}, an init before this one (${pid}); start Rollcall without it`);
    }
    return [];
  }
  if (!/^\d+$/.test(count)) {
    remarks.push(`LISTEN_FDS: expected a number of descriptors, got "${count}"; none is used`);
    return [];
  }
  const called = names.split(":");
  return Array.from({ length: Number(count) }, (_, index) => ({ fd: FIRST_FD + index, name: called[index] || null }));
}
