import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readHalfClosed } from "../../../src/system/half-closed.ts";

const HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const row = (state: string, inode: number): string =>
  `   8: 0100007F:1F90 0100007F:C350 ${state} 00000000:00000000 00:00000000 00000000  1000        8 ${inode} 1 0 20 0 0 10 -1\n`;

function makeTables(t: TestContext, tables: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "half-closed-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(tables)) writeFileSync(join(root, name), text);
  return root;
}

test("finds those in CLOSE_WAIT among all others, in both tables", async (t) => {
  const others = Array.from({ length: 1_000 }, (_, index) => row("01", 10_000 + index)).join("");
  const tcp = HEADER + row("0A", 1) + others + row("08", 2) + row("06", 0) + row("08", 0);
  const tcp6 = HEADER + row("08", 3);
  assert.deepEqual([...(await readHalfClosed(makeTables(t, { tcp, tcp6 })))], [2, 3]);
});

test("bears tables that are missing, empty, or something else", async (t) => {
  for (const tables of [{}, { tcp: "" }, { tcp: HEADER }, { tcp: `${HEADER}a 08 b\n` }]) {
    assert.deepEqual([...(await readHalfClosed(makeTables(t, tables)))], []);
  }
});
