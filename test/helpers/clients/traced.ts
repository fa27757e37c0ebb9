// A client that knows the local port of each of its connections, so that a failure can be held against the process that had accepted it.
import assert from "node:assert/strict";
import http from "node:http";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { HUNG_MS } from "./client.ts";

export interface Failure {
  /** Null: it never came to connect. */
  readonly localPort: number | null;
  readonly at: number;
  readonly why: string;
}

export interface TracedLoad {
  readonly succeeded: () => number;
  /** How often each client succeeded. */
  readonly each: () => readonly number[];
  readonly failures: () => readonly Failure[];
  readonly slowestMs: () => number;
  /** Who takes so long hangs. */
  readonly hungMs: number;
  stop(): Promise<void>;
}

/** Half of the clients keep their connections, half take a new one for each request; none of them waits between two requests. */
export function startTraced(t: TestContext, url: string, clients: number, hungMs: number = HUNG_MS): TracedLoad {
  const failures: Failure[] = [];
  const succeeded = Array.from({ length: clients }, () => 0);
  let slowestMs = 0;
  let running = true;
  t.after(() => (running = false));
  const client = async (index: number): Promise<void> => {
    const keepAlive = index % 2 === 0;
    const agent = keepAlive ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : false;
    while (running) {
      const startedAt = performance.now();
      const failure = await request(url, agent, hungMs);
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      if (failure === null) succeeded[index] = (succeeded[index] ?? 0) + 1;
      else {
        failures.push(failure);
        await sleep(5);
      }
    }
    if (agent !== false) agent.destroy();
  };
  const all = Array.from({ length: clients }, (_, index) => client(index));
  return {
    succeeded: () => succeeded.reduce((sum, each) => sum + each, 0),
    each: () => [...succeeded],
    failures: () => failures,
    slowestMs: () => slowestMs,
    hungMs,
    stop: async () => {
      running = false;
      await Promise.all(all);
    },
  };
}

/** Stops it: every failure is on a connection that the victims had accepted, and nobody hung. */
export async function assertExplained(load: TracedLoad, owned: ReadonlySet<number>): Promise<void> {
  await load.stop();
  assert.deepEqual(
    load.failures().filter(({ localPort }) => localPort === null || !owned.has(localPort)),
    [],
  );
  assert.ok(load.slowestMs() < load.hungMs, `the slowest answer took ${load.slowestMs()} ms`);
}

function request(url: string, agent: http.Agent | false, hungMs: number): Promise<Failure | null> {
  return new Promise((resolve) => {
    let localPort: number | null = null;
    const fail = (why: string): void => resolve({ localPort, at: performance.now(), why });
    const sent = http.get(url, { agent, timeout: hungMs }, (response) => {
      response.resume();
      response.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      response.on("end", () => (response.statusCode === 200 ? resolve(null) : fail(`status ${response.statusCode}`)));
    });
    sent.on("socket", (socket) => {
      const note = (): void => {
        localPort = socket.localPort || null;
      };
      // Now, because a connection may be reset before this process sees it connected; and then, because now may be too early.
      note();
      if (socket.connecting) socket.once("connect", note);
    });
    sent.on("timeout", () => sent.destroy(new Error(`hung for ${hungMs} ms`)));
    sent.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
  });
}
