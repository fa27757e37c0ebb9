// No lost request: rolling reloads under saturating load of every client, on every strategy. About two minutes for each test.
// ROLLCALL_LOAD_RELOADS=3 makes it shorter.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startLoads } from "../helpers/saturation.ts";
import { GROUNDS, startUnderLoad, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";
import { hasWrk } from "../helpers/wrk.ts";

const RELOADS = Number(process.env.ROLLCALL_LOAD_RELOADS ?? 20);

describe("under load", () => {
  for (const ground of GROUNDS) {
    test(`${ground.name}: ${RELOADS} rolling reloads lose nothing`, { skip: !hasWrk && "needs wrk" }, async (t) => {
      const service = await startUnderLoad(t, ground, { workers: 2 });
      await service.untilReady();
      const loads = startLoads(t, service);
      await loads.untilRunning();
      for (let reload = 1; reload <= RELOADS; reload++) {
        service.signal("SIGHUP");
        const isReloaded = async (): Promise<boolean> => {
          const { generation, reloading } = await service.status();
          return generation === 1 + reload && !reloading;
        };
        // At most two drain at a time, and each has a stream to finish.
        await until("it is reloaded", isReloaded, 60_000);
      }
      await untilWhole(service, 1 + RELOADS, 2);
      await loads.assertNoneLost();
      assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="crash"}'), 0);
      assert.equal(await service.metric("rollcall_connections_cut_total"), 0);
    });
  }
});
