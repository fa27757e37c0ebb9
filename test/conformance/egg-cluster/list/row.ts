// One case of the tests of egg-cluster and of the packages that it is made of, and what holds Rollcall to it.

/** How Rollcall has it: as they do, in its own way, or not at all. */
export type Held = "same" | "ours" | "not ours";

export interface Row {
  /** In the words of their test. */
  readonly theirs: string;
  readonly held: Held;
  /** What is different, and why; empty where it is the same. */
  readonly why: string;
  readonly by: readonly Holder[];
}

/** A test of this repository. */
export interface Holder {
  /** Under test/. */
  readonly file: string;
  /** As it stands in the file: a template where it is one, or the words of a row where the title comes from a table. */
  readonly title: string;
}

export interface Chapter {
  readonly title: string;
  readonly rows: readonly Row[];
}

export function at(file: string, title: string): Holder {
  return { file, title };
}

export function same(theirs: string, ...by: readonly Holder[]): Row {
  return { theirs, held: "same", why: "", by };
}

export function ours(theirs: string, why: string, ...by: readonly Holder[]): Row {
  return { theirs, held: "ours", why, by };
}

export function notOurs(theirs: string, why: string): Row {
  return { theirs, held: "not ours", why, by: [] };
}
