// Whether JSON says the same as structured clone would, and sooner: small data of plain objects, arrays, strings, numbers, booleans and null. V8's serializer
// takes ten times as long to begin. Pure.

/** Above this V8's copying of text wins. */
const MOST_TEXT = 1_024;
const MOST_VALUES = 64;

export function isPlain(data: unknown): boolean {
  return new Walk().accepts(data);
}

class Walk {
  #text = MOST_TEXT;
  #values = MOST_VALUES;
  /** One that comes twice is one object in a clone, and two in JSON. */
  readonly #seen: object[] = [];

  accepts(value: unknown): boolean {
    if (--this.#values < 0) return false;
    if (typeof value === "string") {
      this.#text -= value.length;
      return this.#text >= 0;
    }
    if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
    if (typeof value === "object") return value === null || this.#acceptsObject(value);
    return typeof value === "boolean";
  }

  #acceptsObject(value: object): boolean {
    if (this.#seen.includes(value)) return false;
    this.#seen.push(value);
    const keys = Object.keys(value);
    // Neither holes nor names.
    if (Array.isArray(value)) return keys.length === value.length && value.every((each) => this.accepts(each));
    if (Object.getPrototypeOf(value) !== Object.prototype) return false;
    for (const key of keys) {
      this.#text -= key.length;
      if (!this.accepts((value as Record<string, unknown>)[key])) return false;
    }
    return this.#text >= 0;
  }
}
