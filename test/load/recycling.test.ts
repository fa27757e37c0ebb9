// No lost request: workers that are recycled every 50 requests under saturating load, which is as often as they may, on every strategy. About a minute
// for each test.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startLoads } from "../helpers/saturation.ts";
import { GROUNDS, startUnderLoad } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";
import { hasWrk } from "../helpers/wrk.ts";

const RECYCLES = 10;
const recycles = 'rollcall_process_starts_total{role="worker",reason="recycle_requests"}';

describe("under load", () => {
  for (const ground of GROUNDS) {
    test(`${ground.name}: ${RECYCLES} recycles lose nothing`, { skip: !hasWrk && "needs wrk" }, async (t) => {
      const service = await startUnderLoad(t, ground, { workers: 2, flags: ["--max-requests", "50"] });
      await service.untilReady();
      const loads = startLoads(t, service);
      await loads.untilRunning();
      await until(`${RECYCLES} were recycled`, async () => (await service.metric(recycles)) >= RECYCLES, 180_000);
      await loads.assertNoneLost();
      assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="crash"}'), 0);
      assert.equal(await service.metric("rollcall_connections_cut_total"), 0);
    });
  }
});
