// What one source (flags, environment, a file) gave, still unparsed. Runs in the master, at start only. Types only.

import type { Key } from "./options.ts";

export interface Given {
  readonly raw: unknown;
  /** For `rollcall config`: "--workers", "ROLLCALL_WORKERS", "rollcall.config.ts". */
  readonly source: string;
  /** For messages: as `source`, and in a file the key too: "rollcall.config.ts: workers". */
  readonly label: string;
}

export interface Layer {
  readonly given: ReadonlyMap<Key, Given>;
  /** What is wrong with the source itself: unknown names, missing values. Bad values are found later. */
  readonly problems: readonly string[];
}

export const EMPTY_LAYER: Layer = { given: new Map(), problems: [] };
