// When a port that was not declared is worth a warning.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Remarks } from "../../../src/master/remarks.ts";
import type { Remark } from "../../../src/process/hearing.ts";

const WAITS = { ports: [3000, 3001], readyWhen: "listening" } as const;

function listening(port: number | null, slot = 0, generation = 1): Remark {
  const place = { role: "worker", slot, generation } as const;
  return { type: "listening", place, address: port === null ? "/run/app.sock" : "::", port, expected: false, scheme: "http" };
}

test("a worker that is not ready and listens elsewhere is told of once for each port, whoever it is", () => {
  const remarks = new Remarks(WAITS);
  const told = [listening(4000), listening(4000, 1), listening(4000, 0, 2), listening(null), listening(null, 1)];
  const lines = told.map((said) => remarks.describe(said, true));
  assert.deepEqual(
    lines.map(({ level }) => level),
    ["warn", "debug", "debug", "warn", "debug"],
  );
  assert.equal(
    lines[0]?.message,
    "worker 0 listens on http://localhost:4000, which was not declared; it is ready when it listens on port 3000, 3001 (from --port or PORT)",
  );
  assert.equal(lines[1]?.message, "worker 1 listens on http://localhost:4000");
});

test("a worker that is ready may listen where it likes, and is told of when one that is not does the same", () => {
  const remarks = new Remarks(WAITS);
  assert.equal(remarks.describe(listening(4000), false).level, "debug");
  assert.equal(remarks.describe(listening(4000), true).level, "warn");
});

test("ports do not matter where readiness waits for something else", () => {
  for (const readyWhen of ["loaded", "message"] as const)
    assert.equal(new Remarks({ ...WAITS, readyWhen }).describe(listening(4000), true).level, "debug");
});

test("an app that listens on ever new ports is not told of for ever", () => {
  const remarks = new Remarks(WAITS);
  const lines = Array.from({ length: 1_000 }, (_, index) => remarks.describe(listening(10_000 + index), true));
  assert.equal(lines.filter(({ level }) => level === "warn").length, 100);
});
