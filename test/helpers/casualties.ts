// Holds failures of clients against those who died: each must be on a connection that a victim had accepted, and each connection fails once.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { HUNG_MS } from "./clients/client.ts";
import { type Failure, startTraced, type TracedLoad } from "./clients/traced.ts";
import type { Service } from "./service.ts";
import { until } from "./until.ts";
import { startWrk } from "./wrk.ts";

/** How long after a death its clients notice. Ports are used again, so that an old death explains nothing. */
const NOTICED_MS = 2_000;

export interface Casualties {
  readonly load: TracedLoad;
  /** The load runs, and has been served since the last time that this was asked. */
  untilServed(): Promise<void>;
  /** A worker dies now. @param owned the clients' ports of the connections that it had accepted */
  note(owned: ReadonlySet<number>): void;
  /** Stops the load and fails the test for every failure that no death explains. */
  assertExplained(): Promise<void>;
}

interface Death {
  readonly at: number;
  readonly owned: ReadonlySet<number>;
}

/** Clients that know their ports, beside saturating ones that do not. */
export function startCasualties(t: TestContext, service: Service): Casualties {
  const deaths: Death[] = [];
  const saturating = [startWrk(t, service.url("/?ms=1"), "keep-alive", 16), startWrk(t, service.url("/"), "new connections", 16)];
  const load = startTraced(t, service.url("/?ms=1"), 16);
  let served = 0;
  return {
    load,
    untilServed: async () => {
      await until("the load is served", () => load.succeeded() > served + 50);
      served = load.succeeded();
    },
    note: (owned) => void deaths.push({ at: performance.now(), owned }),
    assertExplained: async () => {
      await load.stop();
      const reports = await Promise.all(saturating.map((each) => each.stop()));
      const owned = deaths.reduce((sum, death) => sum + death.owned.size, 0);
      const others = reports.reduce((sum, { failures }) => sum + failures.reduce((errors, failure) => errors + countErrors(failure), 0), 0);
      const requests = reports.reduce((sum, report) => sum + report.requests, load.succeeded());
      t.diagnostic(
        `${requests} requests, ${deaths.length} deaths, ${owned} connections owned, ${load.failures().length} + ${others} failures, ` +
          `slowest ${Math.round(load.slowestMs())} ms`,
      );
      for (const { client, failures } of reports) if (failures.length > 0) t.diagnostic(`${client}: ${failures.join("; ")}`);
      const isExplained = ({ localPort, at }: Failure): boolean =>
        localPort !== null && deaths.some((death) => death.at <= at && at < death.at + NOTICED_MS && death.owned.has(localPort));
      const unexplained = load.failures().filter((failure) => !isExplained(failure));
      assert.deepEqual(unexplained, [], "no connection failed that its worker had not accepted");
      assert.ok(load.failures().length + others <= owned, `${load.failures().length} + ${others} failures, but only ${owned} connections`);
      assert.doesNotMatch(reports.flatMap(({ failures }) => failures).join("\n"), /timeout [1-9]|Non-2xx/);
      assert.ok(load.slowestMs() < HUNG_MS, `the slowest answer took ${load.slowestMs()} ms`);
    },
  };
}

/** The sum of wrk's "connect 0, read 3, write 0, timeout 0". */
function countErrors(failure: string): number {
  return [...failure.matchAll(/(?:connect|read|write|timeout) (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
