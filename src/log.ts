// The master's own log: pino, one JSON line an event on stdout, sentences on a terminal. Children write to stdout and stderr by themselves.
// Pino is loaded when the children are on their way, or when the first line must be out; lines that come before keep their own time.
import { createRequire } from "node:module";
import type { DestinationStream, Logger } from "pino";
import { type Outlet, openOutlet } from "./outlet.ts";

export interface LogSettings {
  readonly logLevel: string;
  readonly logFormat: "json" | "pretty";
}

export interface Line {
  readonly level: "debug" | "info" | "warn" | "error" | "fatal";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What the master needs of a log, and what it must do before it exits. */
export interface MasterLog {
  write(line: Line): void;
  /** Loads what prints, and prints what has been kept. */
  open(): void;
  /** Writes what the reader takes right now: for the last resort. */
  flush(): void;
  /** Resolves when every line is written, or when the reader has not taken them in time. */
  end(): Promise<void>;
}

export function prepareLog(settings: LogSettings): MasterLog {
  const kept: (Line & { readonly at: number })[] = [];
  let outlet: Outlet | null = null;
  let print: ((line: Line, at: number) => void) | null = null;

  function open(): void {
    if (print !== null) return;
    outlet = openOutlet();
    print = printer(settings, outlet);
    for (const line of kept.splice(0)) print(line, line.at);
  }

  return {
    write(line) {
      if (print === null) kept.push({ ...line, at: Date.now() });
      else print(line, Date.now());
    },
    open,
    flush() {
      open();
      outlet?.flush();
    },
    async end() {
      open();
      await outlet?.end();
    },
  };
}

function printer({ logLevel, logFormat }: LogSettings, outlet: Outlet): (line: Line, at: number) => void {
  // At once, and not by import(): the last line before an exit must find it loaded.
  const require = createRequire(import.meta.url);
  const { pino } = require("pino") as typeof import("pino");
  let time = 0;
  const logger: Logger = pino(
    {
      level: logLevel,
      base: null,
      // A line about a child names the child; every other one is the master's.
      mixin: (fields) => ("role" in fields ? {} : { role: "master", pid: process.pid }),
      timestamp: () => `,"time":"${new Date(time).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    logFormat === "pretty" ? forPeople(outlet, require) : outlet,
  );
  return ({ level, fields, message }, at) => {
    time = at;
    logger[level](fields, message);
  };
}

/** A person reads sentences: the fields are in the JSON form. */
function forPeople(outlet: Outlet, require: NodeJS.Require): DestinationStream {
  const { prettyFactory } = require("pino-pretty") as typeof import("pino-pretty");
  const colorize = process.stdout.isTTY === true;
  const format = prettyFactory({ colorize, hideObject: true, ignore: "pid,role,hostname", translateTime: "SYS:HH:MM:ss.l" });
  return { write: (line) => outlet.write(format(line)) };
}
