// Replicas that are stopped and started in turn behind a proxy, and clients of the proxy that may lose nothing by it.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { startAutocannon } from "./clients/autocannon.ts";
import { HUNG_MS } from "./clients/client.ts";
import { startTraced } from "./clients/traced.ts";
import type { Haproxy } from "./haproxy.ts";
import { until } from "./until.ts";
import { hasWrk, startWrk } from "./wrk.ts";

export interface Turns {
  readonly proxy: Haproxy;
  readonly turns: number;
  readonly replicas: number;
  readonly path: string;
  /** Stops a replica as an operator does, and waits for its end. */
  stop(replica: number): Promise<void>;
  start(replica: number): Promise<void>;
}

export async function takeTurns(t: TestContext, { proxy, turns, replicas, path, stop, start }: Turns): Promise<void> {
  for (let replica = 0; replica < replicas; replica++) await proxy.untilUp(replica);
  const url = proxy.origin + path;
  const traced = startTraced(t, url, 4);
  const others = [
    ...(hasWrk ? [startWrk(t, url, "keep-alive", 8), startWrk(t, url, "new connections", 8)] : []),
    startAutocannon(t, url, { connections: 2, pipelining: 1 }),
  ];
  for (let turn = 0; turn < turns; turn++) {
    const replica = turn % replicas;
    const before = traced.succeeded();
    await until("the load runs", () => traced.succeeded() > before + 20);
    await stop(replica);
    await start(replica);
    await proxy.untilUp(replica);
  }
  await traced.stop();
  const reports = await Promise.all(others.map((each) => each.stop()));
  t.diagnostic(`${turns} turns, ${reports.reduce((sum, { requests }) => sum + requests, traced.succeeded())} requests`);
  assert.deepEqual(traced.failures(), []);
  assert.deepEqual(
    reports.flatMap(({ client, failures }) => failures.slice(0, 5).map((failure) => `${client}: ${failure}`)),
    [],
  );
  assert.ok(traced.slowestMs() < HUNG_MS, `the slowest answer took ${traced.slowestMs()} ms`);
}
