// Load as heavy as wrk makes it, with and without keep-alive, beside a light one that says what went wrong.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { startLoad } from "./load.ts";
import type { Service } from "./service.ts";
import { until } from "./until.ts";
import { startWrk } from "./wrk.ts";

export interface Loads {
  untilRunning(): Promise<void>;
  /** Stops all and fails the test for any error. */
  assertNoneLost(): Promise<void>;
}

/** A saturating client that keeps its connections, one that does not, and a light one that says what went wrong. */
export function startLoads(t: TestContext, service: Service): Loads {
  const saturating = [startWrk(t, service.url("/"), 32), startWrk(t, service.url("/"), 32, ["connection: close"])];
  const light = startLoad(t, service.url("/"), 4);
  return {
    untilRunning: async () => void (await until("the load runs", () => light.succeeded() > 20)),
    assertNoneLost: async () => {
      await light.stop();
      assert.deepEqual(light.failures(), []);
      for (const each of saturating) {
        const { requests, socketErrors, badStatuses, text } = await each.stop();
        assert.ok(requests > 100, text);
        assert.deepEqual({ socketErrors, badStatuses }, { socketErrors: 0, badStatuses: 0 }, text);
      }
    },
  };
}
