// Every weak point of docs/weak-points.md has a test that is named by its number.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const TESTS = fileURLToPath(new URL("..", import.meta.url));
const NUMBERS = Array.from({ length: 21 }, (_, index) => `W${index + 1}`);

test("W1 to W21 each have a test of that name", () => {
  const files = readdirSync(TESTS, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".test.ts"));
  const texts = files.map((file) => readFileSync(`${TESTS}/${file}`, "utf8")).join("\n");
  const named = new Set([...texts.matchAll(/test\(\s*["`](W\d+)b?:/g)].map((match) => match[1]));
  assert.deepEqual(
    NUMBERS.filter((number) => !named.has(number)),
    [],
  );
});
