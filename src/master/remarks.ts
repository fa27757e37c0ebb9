// What children say beside the events of their lives, in words for the log. Runs in the master.
import type { Config } from "../config/config.ts";
import type { Line } from "../log.ts";
import type { Remark } from "../process/hearing.ts";
import { describeAddress } from "./first-screen.ts";

/** Why the system makes no process, in words. */
const REFUSALS: Readonly<Record<string, string>> = {
  EMFILE: "the master may open no more files (EMFILE); raise nofile (ulimit -n)",
  ENFILE: "this machine may open no more files (ENFILE)",
  EAGAIN: "there may be no more processes or threads (EAGAIN); raise pids.max or nproc (ulimit -u)",
  ENOMEM: "there is no memory for another process (ENOMEM)",
};

/** An app that listens on ever new ports is told of so many. */
const MOST_ADDRESSES = 100;

export class Remarks {
  readonly #config: Pick<Config, "ports" | "readyWhen">;
  /** Where workers listen although nobody declared it, and the log has said so. */
  readonly #told: Set<string> = new Set();

  constructor(config: Pick<Config, "ports" | "readyWhen">) {
    this.#config = config;
  }

  /** @param isStarting whether who says it is not ready yet */
  describe(said: Remark, isStarting: boolean): Line {
    const line = describeRemark(said);
    return said.type === "listening" && isStarting && this.#isNewAndWrong(said) ? this.#warning(line) : line;
  }

  /** That it keeps the worker from being ready is told once for all workers and generations. */
  #isNewAndWrong({ expected, place, address, port }: Extract<Remark, { type: "listening" }>): boolean {
    const { readyWhen } = this.#config;
    if (expected || place.role === "agent" || readyWhen === "loaded" || readyWhen === "message") return false;
    const key = port === null ? address : String(port);
    if (this.#told.has(key) || this.#told.size >= MOST_ADDRESSES) return false;
    this.#told.add(key);
    return true;
  }

  #warning(line: Line): Line {
    const wanted = `it is ready when it listens on port ${this.#config.ports.join(", ")} (from --port or PORT)`;
    return { ...line, level: "warn", message: `${line.message}, which was not declared; ${wanted}` };
  }
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

function describeRemark(said: Remark): Line {
  const { role, slot, generation } = said.place;
  const fields = { role, slot, generation };
  const who = role === "agent" ? "agent" : `worker ${slot}`;
  switch (said.type) {
    case "listening": {
      const address = describeAddress(said.address, said.port, said.scheme);
      return { level: "debug", message: `${who} listens on ${address}`, fields: { ...fields, address } };
    }
    case "unheeded": {
      const remedy = `rollcall restart ${role === "agent" ? "agent" : slot} replaces it, SIGTERM to process ${process.pid} stops the service`;
      return { level: "warn", message: `${who} got SIGTERM, and takes orders from the master alone: ${remedy}`, fields };
    }
    case "probed":
      return { level: "info", message: `${who} is not ready yet: no 2xx from its health path (ready-when): ${said.answer}`, fields };
    case "survived":
      return {
        level: "error",
        message: `agent: uncaught ${said.message}; it lives on (agent-uncaught)`,
        fields: { ...fields, stack: said.stack },
      };
    case "cut": {
      const { requests, connections } = said;
      const hooks = said.hooks ? "; its shutdown hooks or SIGTERM listeners had not ended" : "";
      return {
        level: "warn",
        message: `${who} ${said.by === "app" ? "was ended by its app while draining" : "reached its deadline"}: ${count(requests, "request")} and ${count(connections, "connection")} cut${hooks}`,
        fields: { ...fields, requests, connections },
      };
    }
    case "descendants": {
      const { processes, killed, left } = said;
      const how = killed === 0 ? "ended by SIGTERM" : `${killed} of them did not end by SIGTERM and had to be killed`;
      const rest = left === 0 ? "" : `; ${left} of them cannot be ended`;
      return {
        level: killed === 0 ? "info" : "warn",
        message: `${who} left ${processes === 1 ? "1 process" : `${processes} processes`} behind: ${how}${rest}`,
        fields: { ...fields, processes, killed, left },
      };
    }
    case "oom-elsewhere":
      return {
        level: "warn",
        message: `the kernel killed ${said.kills === 1 ? "a process" : `${said.kills} processes`} of this container for want of memory (OOM), but no worker and no agent: something that one of them, or docker exec, has started`,
        fields: { oomKills: said.kills },
      };
    case "unstarted": {
      const why = REFUSALS[(said.error as NodeJS.ErrnoException).code ?? ""] ?? said.error.message;
      return { level: "error", message: `Cannot start ${who}: ${why}`, fields: { ...fields, err: said.error } };
    }
    case "complaint":
      return { level: "warn", message: `${who}: ${said.message}`, fields };
    case "trouble":
      return { level: "error", message: `Cannot reach ${who}: ${said.error.message}`, fields: { ...fields, err: said.error } };
    default:
      return said satisfies never;
  }
}
