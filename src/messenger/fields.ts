// What the fields of a message may hold, whoever wrote it. Pure.

export function isHost(value: unknown): value is string | null {
  return value === null || (typeof value === "string" && value.length <= 256);
}

/** Bounded, so that no sum of what children claim ever becomes infinite. */
export function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

export function isCount(value: unknown): value is number {
  return isAmount(value) && Number.isInteger(value);
}
