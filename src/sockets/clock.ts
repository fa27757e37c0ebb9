// One clock for all processes of a machine: a moment that the master names means the same to a worker. Used by both.

/** Milliseconds of the kernel's monotonic clock. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
