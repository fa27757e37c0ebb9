// W16. Sticky with one worker gone: egg-cluster hashes over the workers that there should be, and every request of the one that is gone hangs, its socket
// left in the master. Here the hash is over the workers that there are.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fdsOf } from "../../helpers/listeners.ts";
import { kill } from "../../helpers/processes.ts";
import { byAddress, clientOf, servedToAll, startSticky } from "../../helpers/sticky.ts";
import { untilWhole } from "../../helpers/strategies.ts";
import { until } from "../../helpers/until.ts";

const WORKERS = 3;
const CLIENTS = 60;
const GONE = 1;

test("W16: sticky with one worker gone: every client is served, and no socket is left in the master", {
  skip: process.platform !== "linux" && "needs /proc",
}, async (t) => {
  const hold = join(tmpdir(), `rollcall-w16-${process.pid}`);
  t.after(() => rmSync(hold, { force: true }));
  const service = await startSticky(t, { workers: WORKERS, env: { HOLD: hold, HELD_SLOT: String(GONE) } });
  await untilWhole(service, 1, WORKERS);
  const served = await servedToAll(service, byAddress, CLIENTS);
  writeFileSync(hold, "");
  kill(served[clientOf(served, GONE)]?.pid as number);
  await until("one worker is gone", async () => (await service.status()).workersReady === WORKERS - 1);
  const before = fdsOf(service.pid).length;
  for (const { slot } of await servedToAll(service, byAddress, CLIENTS)) assert.notEqual(slot, GONE);
  // What the master itself opens meanwhile is less than what would be left of the connections.
  await until("the master has let go of all", () => fdsOf(service.pid).length < before + CLIENTS / 2);
});
