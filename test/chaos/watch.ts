// Asks /live and /ready all the time, as a kubelet would, only oftener.
import http from "node:http";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Stretch, startStopwatch } from "./strain.ts";

const PERIOD_MS = 100;

export type Probe = "live" | "ready";

export interface Seen {
  readonly probe: Probe;
  /** 200, another status, or what went wrong. */
  readonly answer: number | string;
  readonly at: number;
  readonly took: Stretch;
}

export interface Watch {
  /** What has been seen since this was asked last. */
  take(): readonly Seen[];
  /** When each was answered last. */
  readonly answeredAt: (probe: Probe) => number;
  stop(): Promise<void>;
}

export function startWatch(t: TestContext, port: number): Watch {
  let seen: Seen[] = [];
  const lastAt: Record<Probe, number> = { live: 0, ready: 0 };
  let running = true;
  t.after(() => (running = false));
  const watch = async (probe: Probe): Promise<void> => {
    while (running) {
      const passed = startStopwatch();
      const answer = await ask(port, probe);
      lastAt[probe] = performance.now();
      seen.push({ probe, answer, at: lastAt[probe], took: passed() });
      await sleep(PERIOD_MS);
    }
  };
  const all = (["live", "ready"] as const).map(watch);
  return {
    take: () => {
      const taken = seen;
      seen = [];
      return taken;
    },
    answeredAt: (probe) => lastAt[probe],
    stop: async () => {
      running = false;
      await Promise.all(all);
    },
  };
}

function ask(port: number, probe: Probe): Promise<number | string> {
  return new Promise((resolve) => {
    const request = http.get({ host: "127.0.0.1", port, path: `/${probe}`, agent: false }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode ?? 0));
      response.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    request.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
