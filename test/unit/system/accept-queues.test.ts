import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readAcceptQueues } from "../../../src/system/accept-queues.ts";

const HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const row = (port: number, state: string, waiting: number): string =>
  `   0: 00000000:${hex(port, 4)} 00000000:0000 ${state} 00000000:${hex(waiting, 8)} 00:00000000 00000000  1000        0 4001 1 0 100 0 0 10 0\n`;
const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, "0");

function makeTables(t: TestContext, tables: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "accept-queues-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(tables)) writeFileSync(join(root, name), text);
  return root;
}

test("sums what waits in all queues of a port, in both tables", async (t) => {
  const tcp = HEADER + row(8_080, "0A", 23) + row(8_080, "0A", 1) + row(9_000, "0A", 0);
  const tcp6 = HEADER + row(8_080, "0A", 300);
  assert.deepEqual(
    [...(await readAcceptQueues(makeTables(t, { tcp, tcp6 })))],
    [
      [8_080, 324],
      [9_000, 0],
    ],
  );
});

test("reads rows across chunks, and stops at the first connection", async (t) => {
  const listening = Array.from({ length: 1_000 }, (_, index) => row(1 + index, "0A", index)).join("");
  const tcp = HEADER + listening + row(2_000, "01", 5) + row(2_001, "0A", 7);
  const waiting = await readAcceptQueues(makeTables(t, { tcp }));
  assert.equal(waiting.size, 1_000);
  assert.equal(waiting.get(777), 776);
});

test("bears tables that are missing, empty, or something else", async (t) => {
  for (const tables of [{}, { tcp: "" }, { tcp: HEADER }, { tcp: "x" }, { tcp: `${HEADER}nonsense\n` }]) {
    assert.deepEqual([...(await readAcceptQueues(makeTables(t, tables)))], []);
  }
});
