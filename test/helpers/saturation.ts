// Every client at once, as heavy as this machine lets them be: none of them may lose anything.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { startAutocannon } from "./clients/autocannon.ts";
import type { LoadClient, Report } from "./clients/client.ts";
import { startStreams } from "./clients/streams.ts";
import { startUndici, startUploads } from "./clients/undici.ts";
import { startLoad } from "./load.ts";
import type { Service } from "./service.ts";
import { until } from "./until.ts";
import { startWrk } from "./wrk.ts";

export interface Loads {
  untilRunning(): Promise<void>;
  /** Stops all and fails the test for any error. */
  assertNoneLost(): Promise<void>;
}

type Start = (t: TestContext, origin: string) => LoadClient;

const CLIENTS: readonly Start[] = [
  (t, origin) => startWrk(t, `${origin}/`, "keep-alive", 24),
  (t, origin) => startWrk(t, `${origin}/`, "new connections", 24),
  (t, origin) => startWrk(t, `${origin}/`, "pipelined", 4),
  (t, origin) => startAutocannon(t, `${origin}/`, { connections: 4, pipelining: 1 }),
  (t, origin) => startAutocannon(t, `${origin}/`, { connections: 2, pipelining: 4 }),
  (t, origin) => startUndici(t, origin, { connections: 4, pipelining: 1 }),
  (t, origin) => startUndici(t, origin, { connections: 2, pipelining: 8 }),
  (t, origin) => startUndici(t, origin, { connections: 4, pipelining: 0 }),
  (t, origin) => startUploads(t, origin, { connections: 1, keepAlive: true }),
  (t, origin) => startUploads(t, origin, { connections: 1, keepAlive: false }),
  (t, origin) => startStreams(t, origin, 4),
];

export function startLoads(t: TestContext, service: Service): Loads {
  const origin = `http://127.0.0.1:${service.appPort}`;
  const clients = CLIENTS.map((start) => start(t, origin));
  // Connections that are mostly idle, and a new one now and then.
  const light = startLoad(t, `${origin}/`, 4);
  return {
    untilRunning: async () => void (await until("the load runs", () => light.succeeded() > 20)),
    assertNoneLost: async () => {
      await light.stop();
      const reports: Report[] = await Promise.all(clients.map((client) => client.stop()));
      reports.push({ client: "node:http, light", requests: light.succeeded(), failures: light.failures(), slowestMs: null });
      for (const { client, requests, failures, forgiven = 0, slowestMs } of reports)
        t.diagnostic(
          `${client}: ${requests} requests, ${failures.length} failures, ${forgiven} forgiven, slowest ${slowestMs === null ? "?" : Math.round(slowestMs)} ms`,
        );
      const wrong = reports.flatMap(({ client, failures }) => failures.slice(0, 5).map((failure) => `${client}: ${failure}`));
      assert.deepEqual(wrong, []);
      for (const { client, requests } of reports) assert.ok(requests > 0, `${client}: no request`);
    },
  };
}
