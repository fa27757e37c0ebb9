// A service whose agent is a thread of the master, and does what it is told: test/fixtures/apps/threaded.mjs.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { ProcessView } from "../../src/policy/snapshot.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";
import { until } from "./until.ts";

export const THREAD: readonly string[] = ["--agent-mode", "thread", "--ready-when", "message"];

export interface ThreadedService extends Service {
  /** Has the agent do one of its deeds, and returns at once. */
  readonly deed: (name: string) => Promise<void>;
  /** What the agent says of itself. */
  readonly self: () => Promise<Readonly<Record<string, unknown>>>;
  /** The agent's thread; it must be ready. */
  readonly agent: () => Promise<ProcessView>;
  /** Waits for another thread in the place of this one. */
  readonly replaced: (before: ProcessView) => Promise<ProcessView>;
}

export async function startThreaded(t: TestContext, options: Partial<ServiceOptions> = {}): Promise<ThreadedService> {
  const flags = [...THREAD, "--backoff-delay", "20ms", "--drain-idle", "100ms", ...(options.flags ?? [])];
  const service = await startService(t, { app: "threaded.mjs", agent: "threaded.mjs", workers: 1, ...options, flags });
  const ask = async (path: string): Promise<unknown> =>
    (await fetch(service.url(path), { headers: { connection: "close" }, signal: AbortSignal.timeout(10_000) })).json();
  const agent = async (): Promise<ProcessView> => {
    const found = (await service.status()).agent?.processes.find(({ state }) => state === "ready");
    assert.ok(found, "the agent is ready");
    return found;
  };
  return {
    ...service,
    deed: async (name) => assert.equal(await ask(`/do/${name}`), null),
    self: async () => (await ask("/self")) as Readonly<Record<string, unknown>>,
    agent,
    replaced: (before) =>
      until("another thread is the agent", async () => {
        const now = await agent();
        return now.thread === before.thread ? null : now;
      }),
  };
}
