// What the tests of listening have in common: every strategy on a declared and on an undeclared port, and waiting for a whole service.

import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ask } from "./load.ts";
import { type Service, type ServiceOptions, startService } from "./service.ts";
import { until } from "./until.ts";

export interface Ground {
  readonly listen: "auto" | "paired" | "per-worker" | "shared" | "round-robin" | "sticky";
  readonly declared: boolean;
  readonly name: string;
}

export const STRATEGIES: readonly Ground["listen"][] = ["paired", "per-worker", "shared", "round-robin", "sticky"];

export const GROUNDS: readonly Ground[] = STRATEGIES.flatMap((listen) =>
  [true, false].map((declared) => ({ listen, declared, name: `${listen}, ${declared ? "declared" : "undeclared"}` })),
);

/** Environment of a master that cannot accept by itself: `round-robin` is node:cluster's then, as on other systems. */
const WITHOUT_HAND_OVER: Readonly<Record<string, string>> = {
  NODE_OPTIONS: `--require=${fileURLToPath(new URL("../fixtures/without-hand-over.cjs", import.meta.url))}`,
};

/** A way of listening that clients must not be able to tell from the others. */
export interface Way extends Pick<Ground, "listen" | "name"> {
  readonly env: Readonly<Record<string, string>>;
}

export const PAIRED: Way = { name: "paired", listen: "paired", env: {} };
export const ROUND_ROBIN: Way = { name: "round-robin", listen: "round-robin", env: {} };
/** What other systems than Linux get. */
export const ON_CLUSTER: Way = { name: "node:cluster's round-robin", listen: "round-robin", env: WITHOUT_HAND_OVER };

/** A service with listen-http.mjs that stops fast. */
export function startListening(
  t: TestContext,
  { listen, declared }: Pick<Ground, "listen" | "declared">,
  { flags = [], ...options }: Partial<ServiceOptions> = {},
): Promise<Service> {
  const own = ["--listen", listen, "--drain-idle", "200ms", "--stop-timeout", "5s", "--backoff-delay", "100ms"];
  return startService(t, { app: "listen-http.mjs", workers: 3, declared, flags: [...own, ...flags], ...options });
}

/** A service with load.mjs and the defaults that matter to clients: idle connections keep their allowance, long responses their time. */
export function startUnderLoad(
  t: TestContext,
  { listen, declared }: Pick<Ground, "listen" | "declared">,
  { flags = [], ...options }: Partial<ServiceOptions> = {},
): Promise<Service> {
  return startService(t, {
    app: "load.mjs",
    workers: 2,
    declared,
    flags: ["--listen", listen, "--stop-timeout", "20s", ...flags],
    ...options,
  });
}

/** Every slot has one ready worker of the generation, and nothing drains any more. */
export async function untilWhole(service: Service, generation: number, workers: number, deadlineMs?: number): Promise<void> {
  const isWhole = async (): Promise<boolean> => {
    const status = await service.status();
    const isAlone = status.workers.length === workers && status.workers.every(({ processes }) => processes.length === 1);
    return status.generation === generation && !status.reloading && status.workersReady === workers && isAlone;
  };
  await until(`${workers} workers of generation ${generation} run alone`, isWhole, deadlineMs);
}

/** Asks on new connections, from address after address, until so many slots have answered. */
export async function untilAllAnswer(service: Pick<Service, "url">, workers: number): Promise<void> {
  const slots = new Set<number>();
  let asked = 0;
  await until(`all of ${workers} slots answer`, async () => {
    const { body } = await ask(service.url("/"), false, { localAddress: addressOf(asked++) });
    return slots.add((JSON.parse(body) as { slot: number }).slot).size === workers;
  });
}

/** An address of this machine's own for each of 60,000 clients. */
export function addressOf(client: number): string {
  return process.platform === "linux" ? `127.0.${1 + Math.floor(client / 250)}.${1 + (client % 250)}` : "127.0.0.1";
}

export interface Watched {
  readonly succeeded: () => number;
  readonly failures: () => readonly string[];
  readonly slowestMs: () => number;
  stop(): Promise<void>;
}

/** Clients with a new connection for each request, which note how long each took and which of them failed. */
export function watchRequests(t: TestContext, url: string, clients: number): Watched {
  const failures: string[] = [];
  let succeeded = 0;
  let slowestMs = 0;
  let running = true;
  t.after(() => (running = false));
  const client = async (): Promise<void> => {
    while (running) {
      const startedAt = performance.now();
      await ask(url).then(
        ({ status }) => (status === 200 ? succeeded++ : failures.push(`status ${status}`)),
        (error: NodeJS.ErrnoException) => failures.push(`${error.code ?? ""} ${error.message}`),
      );
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      await sleep(2);
    }
  };
  const all = Array.from({ length: clients }, client);
  return {
    succeeded: () => succeeded,
    failures: () => failures,
    slowestMs: () => slowestMs,
    stop: async () => {
      running = false;
      await Promise.all(all);
    },
  };
}
