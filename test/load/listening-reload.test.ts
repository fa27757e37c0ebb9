// No lost request: rolling reloads under saturating load, on every strategy.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startLoads } from "../helpers/saturation.ts";
import { GROUNDS, type Ground, startListening, untilWhole } from "../helpers/strategies.ts";
import { hasWrk } from "../helpers/wrk.ts";

/** The default is tried the longest. */
const reloadsOf = ({ listen }: Ground): number => (listen === "paired" ? 5 : 2);

describe("under load", () => {
  for (const ground of GROUNDS) {
    const reloads = reloadsOf(ground);
    test(`${ground.name}: ${reloads} rolling reloads lose nothing`, { skip: !hasWrk && "needs wrk" }, async (t) => {
      const service = await startListening(t, ground, { workers: 2 });
      await service.untilReady();
      const loads = startLoads(t, service);
      await loads.untilRunning();
      for (let reload = 1; reload <= reloads; reload++) {
        service.signal("SIGHUP");
        await untilWhole(service, 1 + reload, 2);
      }
      await loads.assertNoneLost();
      assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="crash"}'), 0);
    });
  }
});
