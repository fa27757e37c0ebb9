// No lost request: more and fewer workers under saturating load, on every strategy.
import { describe, test } from "node:test";
import { startLoads } from "../helpers/saturation.ts";
import { GROUNDS, startListening, untilWhole } from "../helpers/strategies.ts";
import { hasWrk } from "../helpers/wrk.ts";

describe("under load", () => {
  for (const ground of GROUNDS) {
    test(`${ground.name}: scaling 1 → 4 → 1 loses nothing`, { skip: !hasWrk && "needs wrk" }, async (t) => {
      const service = await startListening(t, ground, { workers: 1 });
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
    });
  }
});
