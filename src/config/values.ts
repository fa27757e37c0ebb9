// The kinds of single values: how a duration, a port or a choice is read from text or JSON, and shown again.
// Runs in the master, at start only. Pure: a bad value is a message, never a throw.

import { didYouMean } from "./suggest.ts";

export type Parsed<V> = { readonly ok: true; readonly value: V } | { readonly ok: false; readonly problem: string };

export interface Kind<V> {
  /** Stands for the value in the help: `<time>`. */
  readonly placeholder: string;
  /** A list or a map: flags may repeat, and the environment separates by commas. */
  readonly repeatable?: boolean;
  /** What the flag says without a value; such a flag takes one only behind "=". */
  readonly bare?: string;
  /** What the flag says where no value follows, and `true` in a file. */
  readonly implied?: string;
  /** Takes text (flags, environment) or what JSON can hold (config files). */
  parse(raw: unknown): Parsed<V>;
  /** As a person would write it; `parse` takes it back. */
  format(value: V): string;
}

/** Node's timers fire at once when asked for more than 2^31 - 1 ms; 24 days is the longest round span under it. */
const LONGEST_MS = 24 * 24 * 3_600_000;

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Who types a bare number under this means seconds. */
const BARE_FROM_MS = 100;

/** Milliseconds from `5000`, `500ms`, `5s`, `1.5s`, `2m`, `1h`; a bare number is milliseconds, and typed it is at least 100, or 0. */
export function duration(minMs: number): Kind<number> {
  const expected = "a duration such as 500ms, 5s or 2m";
  return {
    placeholder: "<time>",
    parse(raw) {
      const match = /^(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h)?$/.exec(asText(raw));
      if (match === null) return wrong(expected, raw);
      if (typeof raw === "string" && match[2] === undefined && Number(raw) > 0 && Number(raw) < BARE_FROM_MS) {
        return wrong(`a duration with its unit, ${raw}s or ${raw}ms (a number alone is milliseconds)`, raw);
      }
      const ms = Math.round(Number(match[1]) * (UNITS_MS[match[2] ?? "ms"] ?? 1));
      if (ms < minMs || ms > LONGEST_MS) return wrong(`a duration from ${formatDuration(minMs)} to ${formatDuration(LONGEST_MS)}`, raw);
      return right(ms);
    },
    format: formatDuration,
  };
}

const UNITS_BYTES: Readonly<Record<string, number>> = {
  ...{ b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, kb: 1e3, mb: 1e6, gb: 1e9 },
};

/** Bytes from `256MiB`, `1.5GiB`, `500MB` (of 1,000,000 bytes) or, as Docker writes it, `256m`; a bare number is bytes. At least 1 MiB: less is a slip. */
export const size: Kind<number> = {
  placeholder: "<size>",
  parse(raw) {
    const match = /^(\d+(?:\.\d+)?|\.\d+)([a-z]+)?$/i.exec(asText(raw));
    const unit = UNITS_BYTES[match?.[2]?.toLowerCase() ?? "b"];
    if (match === null || unit === undefined) return wrong("a size such as 256MiB or 2GiB", raw);
    const bytes = Math.round(Number(match[1]) * unit);
    return bytes >= 2 ** 20 && Number.isSafeInteger(bytes) ? right(bytes) : wrong("a size from 1MiB", raw);
  },
  format(bytes) {
    if (bytes % 2 ** 30 === 0) return `${bytes / 2 ** 30}GiB`;
    return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}MiB` : `${bytes}B`;
  },
};

/** A whole number in a closed range. */
export function count(min: number, max: number): Kind<number> {
  return {
    placeholder: "<n>",
    parse(raw) {
      const value = asNumber(raw);
      return Number.isSafeInteger(value) && value >= min && value <= max
        ? right(value)
        : wrong(`a whole number from ${min} to ${max}`, raw);
    },
    format: String,
  };
}

/** A number, whole or not, in a closed range. */
export function factor(min: number, max: number): Kind<number> {
  return {
    placeholder: "<n>",
    parse(raw) {
      const value = asNumber(raw);
      return value >= min && value <= max ? right(value) : wrong(`a number from ${min} to ${max}`, raw);
    },
    format: String,
  };
}

/** A share from `10%` or `0.1`, as a ratio from 0 to 1. */
export const ratio: Kind<number> = {
  placeholder: "<n%>",
  parse(raw) {
    const value = asShare(raw) ?? asNumber(raw);
    return value >= 0 && value <= 1 ? right(value) : wrong("a percentage such as 10% or 0.1, at most 100%", raw);
  },
  format: formatShare,
};

/** A TCP port; 0 asks the system for a free one. */
export const port: Kind<number> = {
  placeholder: "<port>",
  parse(raw) {
    const value = asNumber(raw);
    return Number.isInteger(value) && value >= 0 && value <= 65_535 ? right(value) : wrong("a port from 0 to 65535", raw);
  },
  format: String,
};

/** An address or a host name to listen on; the port has its own option. */
export const host: Kind<string> = {
  placeholder: "<address>",
  parse(raw) {
    const isAddress = typeof raw === "string" && (/^[\w.-]+$/.test(raw) || /^[\da-f.:]*:[\da-f.]*:[\da-f.:]*(%[\w.-]+)?$/i.test(raw));
    return isAddress ? right(raw) : wrong("an address or a host name such as 127.0.0.1, :: or localhost", raw);
  },
  format: String,
};

/** One of a few words. */
export function oneOf<const T extends string>(placeholder: string, ...choices: readonly T[]): Kind<T> {
  return {
    placeholder,
    parse(raw) {
      const choice = choices.find((each) => each === raw);
      return choice === undefined ? wrong(listInWords(choices), raw, choices) : right(choice);
    },
    format: String,
  };
}

/** Something that is on or off: `--x`, `--x=off`, `ROLLCALL_X=on`, `true` in a file. */
export const toggle: Kind<boolean> = {
  placeholder: "",
  bare: "on",
  parse(raw) {
    if (raw === true || raw === "on" || raw === "true" || raw === "1") return right(true);
    if (raw === false || raw === "off" || raw === "false" || raw === "0") return right(false);
    return wrong("on or off", raw, ["on", "off"]);
  },
  format: (value) => (value ? "on" : "off"),
};

/** Any text but the empty one. */
export function text(placeholder: string, what: string): Kind<string> {
  return {
    placeholder,
    parse(raw) {
      return typeof raw === "string" && raw !== "" && !raw.includes("\0") ? right(raw) : wrong(what, raw);
    },
    format: String,
  };
}

export function right<V>(value: V): Parsed<V> {
  return { ok: true, value };
}

/** The one form of every failure: what was expected, what came, and what was probably meant. */
export function wrong(expected: string, raw: unknown, choices: readonly string[] = []): Parsed<never> {
  return { ok: false, problem: `expected ${expected}; got ${show(raw)}${typeof raw === "string" ? didYouMean(raw, choices) : ""}` };
}

/** What was given, quoted and cut to a length that fits into a log line. */
function show(raw: unknown): string {
  const shown = JSON.stringify(raw) ?? String(raw);
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}

/** The number in plain decimal text, or NaN: no hexadecimal, no exponent, no surrounding blanks. */
export function asNumber(raw: unknown): number {
  if (typeof raw === "number") return raw;
  return typeof raw === "string" && /^[+-]?(\d+(\.\d+)?|\.\d+)$/.test(raw) ? Number(raw) : Number.NaN;
}

/** 0.5 for `50%`; null for what is no percentage. */
export function asShare(raw: unknown): number | null {
  const match = typeof raw === "string" ? /^(\d+(?:\.\d+)?)%$/.exec(raw) : null;
  return match === null ? null : Number(match[1]) / 100;
}

export function formatShare(share: number): string {
  return `${Number((share * 100).toFixed(6))}%`;
}

/** `a, b or c`. */
function listInWords(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** The largest unit that leaves the number short: 500ms, 5s, 90s, 2m, 1h. */
function formatDuration(ms: number): string {
  if (ms === 0) return "0";
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms % 60_000 === 0 && ms > 60_000) return `${ms / 60_000}m`;
  return ms < 1_000 ? `${ms}ms` : `${ms / 1_000}s`;
}

function asText(raw: unknown): string {
  return typeof raw === "string" || typeof raw === "number" ? String(raw) : "";
}
