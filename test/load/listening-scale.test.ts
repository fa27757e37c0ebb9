// No lost request: more and fewer workers under saturating load of every client, on every strategy. About half a minute for each test.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startLoads } from "../helpers/saturation.ts";
import { GROUNDS, startUnderLoad, untilWhole } from "../helpers/strategies.ts";
import { hasWrk } from "../helpers/wrk.ts";

describe("under load", () => {
  for (const ground of GROUNDS) {
    test(`${ground.name}: scaling 1 → 4 → 1 loses nothing`, { skip: !hasWrk && "needs wrk" }, async (t) => {
      const service = await startUnderLoad(t, ground, { workers: 1 });
      await service.untilReady();
      const loads = startLoads(t, service);
      await loads.untilRunning();
      for (const workers of [2, 3, 4]) {
        service.signal("SIGTTIN");
        await untilWhole(service, 1, workers);
      }
      for (const workers of [3, 2, 1]) {
        service.signal("SIGTTOU");
        await untilWhole(service, 1, workers);
      }
      await loads.assertNoneLost();
      assert.equal(await service.metric("rollcall_connections_cut_total"), 0);
    });
  }
});
