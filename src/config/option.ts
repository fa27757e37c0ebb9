// What an option is, and what all of them add up to. Types only, but for the kind of a file.
import type { Backoff, Config } from "./config.ts";
import { type Kind, text } from "./values.ts";

/** What the options add up to, before paths are resolved and the backoff is nested. */
export type Settings = Omit<Config, "app" | "appArgs" | "backoff" | "cwd"> & {
  readonly [K in keyof Backoff as `backoff.${K}`]: Backoff[K];
} & { readonly app: string | null; readonly cwd: string | null; readonly config: string | null };

export type Key = keyof Settings;

export interface Option<V> {
  /** In kebab-case; `--stop-timeout`, `ROLLCALL_STOP_TIMEOUT` and `stopTimeout` are derived from it. */
  readonly name: string;
  /** Opens a group in the help and the docs: this option and those below it. */
  readonly group?: string;
  readonly kind: Kind<NonNullable<V>>;
  readonly default: V;
  readonly inKubernetes?: V;
  readonly onTerminal?: V;
  /** What an empty default (null, no list) comes down to; "none" unless given. */
  readonly unset?: string;
  /** One line, in the words of the help. */
  readonly meaning: string;
}

export const file: Kind<string> = text("<file>", "the path of a file");
