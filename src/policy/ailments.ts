// How much a process may say of what it depends on (`health.set`). Pure.

/** More names than this that are not well at a time, from one process, are passed over. */
export const MOST_AILMENTS = 32;
export const LONGEST_NAME = 200;
export const LONGEST_REASON = 1_000;
