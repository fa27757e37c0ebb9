// The master's own log: pino, one JSON line an event on stdout, sentences on a terminal. Children write to stdout and stderr by themselves.
import { type Logger, pino } from "pino";
import { type Outlet, openOutlet } from "./outlet.ts";

export interface LogSettings {
  readonly logLevel: string;
  readonly logFormat: "json" | "pretty";
}

/** What the master needs of a logger, and what it must do before it exits. */
export interface MasterLog {
  readonly logger: Logger;
  /** Writes what the reader takes right now: for the last resort. */
  flush(): void;
  /** Resolves when every line is written, or when the reader has not taken them in time. */
  end(): Promise<void>;
}

export async function openLog(settings: LogSettings): Promise<MasterLog> {
  const outlet = openOutlet();
  const logger = pino(
    {
      level: settings.logLevel,
      base: null,
      // A line about a child names the child; every other one is the master's.
      mixin: (fields) => ("role" in fields ? {} : { role: "master", pid: process.pid }),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    settings.logFormat === "pretty" ? await forPeople(outlet) : outlet,
  );
  return { logger, flush: () => outlet.flush(), end: () => outlet.end() };
}

/** A person reads sentences: the fields are in the JSON form. */
async function forPeople(outlet: Outlet): Promise<{ write(line: string): void }> {
  const { prettyFactory } = await import("pino-pretty");
  const colorize = process.stdout.isTTY === true;
  const format = prettyFactory({ colorize, hideObject: true, ignore: "pid,role,hostname", translateTime: "SYS:HH:MM:ss.l" });
  return { write: (line) => outlet.write(format(line)) };
}
