// What every client of a load test has in common: it runs until it is stopped, at most until the test ends, and then tells all that went wrong.
import type { TestContext } from "node:test";

/** The longest that any client may wait for an answer; what takes longer counts as hung. On a machine that does other things too, allow more. */
export const HUNG_MS: number = Number(process.env.ROLLCALL_LOAD_HUNG_MS ?? 3_000);

export interface Report {
  readonly client: string;
  readonly requests: number;
  readonly failures: readonly string[];
  /** What went wrong by the client's own doing: told, and not held against the service. */
  readonly forgiven?: number;
  /** Null where the client does not tell. */
  readonly slowestMs: number | null;
}

export interface LoadClient {
  stop(): Promise<Report>;
}

/** One request of a loop. Throws for whatever is not the whole answer. */
type Attempt = () => Promise<void>;

interface Loops {
  readonly client: string;
  /** How many loops run at a time. */
  readonly loops: number;
  /** What takes longer is a failure. */
  readonly hungMs?: number;
  readonly end?: () => Promise<unknown>;
}

/** Attempts again and again, in several loops at a time. */
export function startLoops(t: TestContext, { client, loops, hungMs = HUNG_MS, end }: Loops, attempt: Attempt): LoadClient {
  const failures: string[] = [];
  let requests = 0;
  let slowestMs = 0;
  let running = true;
  t.after(() => (running = false));
  const loop = async (): Promise<void> => {
    while (running) {
      const startedAt = performance.now();
      await attempt().catch((error: unknown) => failures.push(describe(error)));
      const tookMs = performance.now() - startedAt;
      requests++;
      slowestMs = Math.max(slowestMs, tookMs);
      if (tookMs > hungMs) failures.push(`took ${Math.round(tookMs)} ms`);
      // A failure that comes at once must not keep the loops of all others from running.
      if (failures.length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const all = Array.from({ length: loops }, loop);
  return {
    stop: async () => {
      running = false;
      await Promise.all(all);
      await end?.();
      return { client, requests, failures, slowestMs };
    },
  };
}

function describe(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return `${new Date().toISOString()} ${code ?? ""} ${message}`;
}
