// The table of options as a list, and what is derived from it: names of each source, values and defaults in words.
// Runs in the master at start, and in the CLI. Pure.

import { type Key, OPTIONS, type Option } from "./options.ts";

export type AnyOption = Option<unknown> & { readonly key: Key };

/** The table as a list, in its order: by groups. */
export const OPTION_LIST: readonly AnyOption[] = (Object.keys(OPTIONS) as Key[]).map((key) => ({
  ...(OPTIONS[key] as Option<unknown>),
  key,
}));

export function optionNamed(name: string): AnyOption | undefined {
  return OPTION_LIST.find((option) => option.name === name);
}

/** `ROLLCALL_STOP_TIMEOUT` for `stop-timeout`. */
export function envNameOf(option: AnyOption): string {
  return `ROLLCALL_${option.name.toUpperCase().replaceAll("-", "_")}`;
}

/** `stopTimeout` for `stop-timeout`. */
export function camelNameOf(option: AnyOption): string {
  return option.name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A value as a person would write it, or what its absence comes down to. */
export function formatValue(option: AnyOption, value: unknown): string {
  const isEmpty = value === null || (typeof value === "object" && Object.keys(value).length === 0);
  return isEmpty ? (option.unset ?? "none") : option.kind.format(value as never);
}

/** `25s in Kubernetes, 9s elsewhere`: for the help and the docs. */
export function defaultText(option: AnyOption): string {
  const usual = formatValue(option, option.default);
  if (option.inKubernetes !== undefined) return `${formatValue(option, option.inKubernetes)} in Kubernetes, ${usual} elsewhere`;
  if (option.onTerminal !== undefined) return `${formatValue(option, option.onTerminal)} on a terminal, ${usual} elsewhere`;
  return usual;
}
