// autocannon as a client. It looks at no `Connection: close`: it goes on sending on that connection, and opens another at its end.
// What it has pipelined behind such an answer it neither waits for nor sends again, and when it writes more to the closed connection it counts
// an error. RFC 9112, 9.6 forbids the sending and leaves the rest to the client, so with pipelining these errors are told but forgiven.
import type { TestContext } from "node:test";
// @ts-expect-error it brings no types
import untyped from "autocannon";
import { HUNG_MS, type LoadClient } from "./client.ts";

interface Result {
  readonly requests: { readonly total: number };
  /** Broken connections and timeouts. */
  readonly errors: number;
  readonly timeouts: number;
  readonly non2xx: number;
  readonly latency: { readonly max: number };
}
interface Instance extends PromiseLike<Result> {
  stop(): void;
  on(event: "reqError", listener: (error: Error) => void): this;
}
type Autocannon = (options: object) => Instance;

const autocannon = untyped as Autocannon;

const WRITTEN_TOO_LATE = /EPIPE|ECONNRESET/;

export function startAutocannon(
  t: TestContext,
  url: string,
  { connections, pipelining }: { connections: number; pipelining: number },
): LoadClient {
  const instance = autocannon({ url, connections, pipelining, duration: 3_600, timeout: HUNG_MS / 1_000 });
  const errors: string[] = [];
  let forgiven = 0;
  instance.on("reqError", (error) => {
    if (pipelining > 1 && WRITTEN_TOO_LATE.test(error.message)) forgiven++;
    else errors.push(`${new Date().toISOString()} ${error.message}`);
  });
  const ended = Promise.resolve(instance);
  t.after(() => instance.stop());
  return {
    stop: async () => {
      instance.stop();
      const { requests, errors: broken, timeouts, non2xx, latency } = await ended;
      const failures = [...errors];
      if (broken > errors.length + forgiven || timeouts > 0) failures.push(`${broken} errors, of them ${timeouts} timeouts`);
      if (non2xx > 0) failures.push(`${non2xx} bad statuses`);
      return { client: `autocannon, ${pipelining} pipelined`, requests: requests.total, failures, forgiven, slowestMs: latency.max };
    },
  };
}
