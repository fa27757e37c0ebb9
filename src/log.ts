// The master's own log: pino, one JSON line an event on stdout, pretty on a terminal. Children write to stdout and stderr by themselves.
import { type DestinationStream, type Logger, pino } from "pino";

export interface LogSettings {
  readonly logLevel: string;
  readonly logFormat: "json" | "pretty";
}

/** What the master needs of a logger, and what it must do before it exits. */
export interface MasterLog {
  readonly logger: Logger;
  /** Writes what is still buffered, at once: for the last resort. */
  flush(): void;
  /** Resolves when every line is written, in order, or when the reader has not taken them in time. */
  end(): Promise<void>;
}

/** How long the last lines may wait for a slow reader. */
const END_MS = 500;

export async function openLog(settings: LogSettings): Promise<MasterLog> {
  const isPretty = settings.logFormat === "pretty";
  const json = pino.destination({ fd: 1, sync: false });
  const destination = isPretty ? await prettyStream() : json;
  const logger = pino(
    {
      level: settings.logLevel,
      base: null,
      // A line about a child names the child; every other one is the master's.
      mixin: (fields) => ("role" in fields ? {} : { role: "master", pid: process.pid }),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return { logger, flush: () => flush(json), end: () => (isPretty ? Promise.resolve() : end(json)) };
}

/** A person reads sentences: the fields are in the JSON form. */
async function prettyStream(): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  const colorize = process.stdout.isTTY === true;
  return pretty({ colorize, sync: true, hideObject: true, ignore: "pid,role,hostname", translateTime: "SYS:HH:MM:ss.l" });
}

type Destination = ReturnType<typeof pino.destination>;

/** A write may be under way, which a synchronous flush would overtake. */
function end(destination: Destination): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, END_MS);
    destination.once("close", resolve).once("error", resolve);
    destination.end();
  });
}

function flush(destination: Destination): void {
  try {
    destination.flushSync();
  } catch {
    // Not open yet, ended, or its reader is gone: there is nobody to tell.
  }
}
