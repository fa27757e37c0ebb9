// The kinds of values that are Rollcall's own or made of several: workers, ready-when, lists, environment.
// Runs in the master, at start only. Pure.

import type { EggSetting, MemorySetting, ReadyWhen, WorkersSetting } from "./config.ts";
import { asNumber, asShare, formatShare, type Kind, type Parsed, right, size, text, wrong } from "./values.ts";

/** What a number of workers may come to, from whatever source. */
export const MOST_WORKERS = 1_024;

/** `auto`, a number from 1 to 1024, or a share of the CPUs such as `50%`. */
export const workers: Kind<WorkersSetting> = {
  placeholder: "<auto|n|n%>",
  parse(raw) {
    if (raw === "auto") return right({ kind: "auto" });
    const share = asShare(raw);
    if (share !== null && share > 0 && share <= 10) return right({ kind: "share", share });
    const value = asNumber(raw);
    if (Number.isInteger(value) && value >= 1 && value <= MOST_WORKERS) return right({ kind: "count", count: value });
    return wrong(`auto, a whole number from 1 to ${MOST_WORKERS}, or a percentage of the CPUs such as 50%`, raw, ["auto"]);
  },
  format(setting) {
    if (setting.kind === "auto") return "auto";
    return setting.kind === "count" ? String(setting.count) : formatShare(setting.share);
  },
};

/** `auto`, `off`, or a size such as `512MiB`. */
export const memory: Kind<MemorySetting> = {
  placeholder: "<auto|off|size>",
  parse(raw) {
    if (raw === "auto" || raw === "off") return right({ kind: raw });
    const parsed = size.parse(raw);
    return parsed.ok
      ? right({ kind: "size", bytes: parsed.value })
      : wrong("auto, off, or a size from 1MiB, such as 512MiB", raw, ["auto", "off"]);
  },
  format(setting) {
    return setting.kind === "size" ? size.format(setting.bytes) : setting.kind;
  },
};

/** The folder of an Egg application, or in a config file a map with `baseDir`, `framework` and what else Egg is to be given. */
export const egg: Kind<EggSetting> = {
  placeholder: "[folder]",
  implied: ".",
  parse(raw) {
    const { baseDir = ".", framework = null, ...options } = isMap(raw) ? raw : { baseDir: raw === true ? "." : raw };
    if (typeof baseDir !== "string" || baseDir === "" || baseDir.includes("\0")) return wrong("the path of a folder", baseDir);
    if (framework !== null && (typeof framework !== "string" || framework === ""))
      return wrong("a framework that is a path or the name of a package", framework);
    return right({ folder: baseDir, framework, options });
  },
  format: ({ folder }) => folder,
};

/** A value of another kind, or `off`. */
export function orOff<V>(kind: Kind<V>): Kind<V | "off"> {
  return {
    placeholder: `<off|${kind.placeholder.replace(/[<>]/g, "")}>`,
    parse(raw) {
      if (raw === "off") return right("off");
      const parsed = kind.parse(raw);
      return parsed.ok ? parsed : { ok: false, problem: parsed.problem.replace(/^expected /, "expected off or ") };
    },
    format(value) {
      return value === "off" ? "off" : kind.format(value);
    },
  };
}

const READY_WORDS: readonly ReadyWhen[] = ["listening", "loaded", "message"];

/** `listening`, `loaded`, `message`, or an HTTP path. */
export const readyWhen: Kind<ReadyWhen> = {
  placeholder: "<event|/path>",
  parse(raw) {
    const word = READY_WORDS.find((each) => each === raw);
    if (word !== undefined) return right(word);
    // Only what may stand in a request line: printable ASCII.
    if (typeof raw === "string" && /^\/[!-~]*$/.test(raw)) return right(raw as ReadyWhen);
    return wrong("listening, loaded, message or an HTTP path such as /healthz", raw, READY_WORDS);
  },
  format: String,
};

/** Any number of values of one kind; a single one need not be in an array. */
export function listOf<V>(kind: Kind<V>): Kind<readonly V[]> {
  return {
    placeholder: kind.placeholder,
    repeatable: true,
    parse(raw) {
      const values: V[] = [];
      for (const each of Array.isArray(raw) ? raw : [raw]) {
        const parsed = kind.parse(each);
        if (!parsed.ok) return parsed;
        values.push(parsed.value);
      }
      return right(values);
    },
    format(values) {
      return values.map((value) => kind.format(value)).join(", ");
    },
  };
}

/** `NAME=value` pairs, or a map in a config file. Messages and `format` never show a value: it may be a secret. */
export const environment: Kind<Readonly<Record<string, string>>> = {
  placeholder: "<NAME=value>",
  repeatable: true,
  parse(raw) {
    const pairs = isMap(raw) ? Object.entries(raw) : (Array.isArray(raw) ? raw : [raw]).map(splitPair);
    const given: [string, string][] = [];
    for (const pair of pairs) {
      const parsed = parsePair(pair);
      if (!parsed.ok) return parsed;
      given.push(parsed.value);
    }
    return right(Object.fromEntries(given));
  },
  format(values) {
    return `${Object.keys(values).join(", ")} (values not shown)`;
  },
};

function isMap(raw: unknown): raw is Record<string, unknown> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}

function splitPair(raw: unknown): readonly unknown[] {
  if (typeof raw !== "string") return [raw];
  const equals = raw.indexOf("=");
  return equals === -1 ? [raw] : [raw.slice(0, equals), raw.slice(equals + 1)];
}

function parsePair([name, value]: readonly unknown[]): Parsed<[string, string]> {
  if (typeof name !== "string" || value === undefined) return wrong("NAME=value", name);
  if (!/^[A-Za-z_.-][\w.-]*$/.test(name)) return wrong("the name of an environment variable such as LOG_DIR", name);
  const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  if (!isPlain || String(value).includes("\0")) return { ok: false, problem: `expected text for ${name}; got ${typeOf(value)}` };
  return right([name, String(value)]);
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "string") return "text with a NUL character";
  return Array.isArray(value) ? "a list" : `an ${typeof value}`;
}

const NODE_FLAG = "a flag of Node.js such as --inspect or --conditions=x";
const anyFlag: Kind<string> = text("<flag>", NODE_FLAG);
/** With these Node runs something else, or the app in a process of its own. */
const NO_APP =
  /^(?:--watch(?:-path|-preserve-output)?|--test|--check|-c|--eval|-e|--print|-p|-pe|--interactive|-i|--run|--version|-v|--help|-h)(?:=|$)/;
/** Without a dash Node would take it for the app. */
export const nodeFlag: Kind<string> = {
  ...anyFlag,
  parse(raw) {
    if (typeof raw !== "string") return anyFlag.parse(raw);
    if (!raw.startsWith("-")) return wrong(NODE_FLAG, raw);
    return NO_APP.test(raw) ? wrong("a flag of Node's with which it runs the app, once", raw) : anyFlag.parse(raw);
  },
};
