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
    if (Array.isArray(value)) {
      // Neither holes nor names. Not before the length: the keys of a large one take longer than cloning it.
      if (value.length > this.#values || Object.keys(value).length !== value.length) return false;
      return value.every((each) => this.accepts(each));
    }
    // Before the keys for the same reason: each byte of a Buffer is one.
    if (Object.getPrototypeOf(value) !== Object.prototype) return false;
    for (const key in value) {
      if (!Object.hasOwn(value, key)) continue;
      this.#text -= key.length;
      if (!this.accepts((value as Record<string, unknown>)[key])) return false;
    }
    return this.#text >= 0;
  }
}
