// The master's own log: pino, one JSON line an event on stdout, pretty on a terminal. Children write to stdout and stderr by themselves.
import { type DestinationStream, type Logger, pino } from "pino";

export interface LogSettings {
  readonly logLevel: string;
  readonly logFormat: "json" | "pretty";
}

/** What the master needs of a logger, and what it must do before it exits. */
export interface MasterLog {
  readonly logger: Logger;
  flush(): void;
}

export async function openLog(settings: LogSettings): Promise<MasterLog> {
  const destination = settings.logFormat === "pretty" ? await prettyStream() : pino.destination({ fd: 1, sync: false });
  const logger = pino(
    {
      level: settings.logLevel,
      base: null,
      // A line about a child names the child; every other one is the master's.
      mixin: (fields) => ("role" in fields ? {} : { role: "master", pid: process.pid }),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination as DestinationStream,
  );
  return { logger, flush: () => flush(destination) };
}

/** A person reads sentences: the fields are in the JSON form. */
async function prettyStream(): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  return pretty({
    colorize: process.stdout.isTTY === true,
    sync: true,
    hideObject: true,
    ignore: "pid,role,hostname",
    translateTime: "SYS:HH:MM:ss.l",
  });
}

function flush(destination: unknown): void {
  try {
    (destination as { flushSync?: () => void }).flushSync?.();
  } catch {
    // Not open yet, or its reader is gone: there is nobody to tell.
  }
}
