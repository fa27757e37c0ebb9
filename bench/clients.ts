// Clients that ask again and again and count what they got: for loads that disturb a service, where wrk does not tell who hung.
import { setImmediate as turn } from "node:timers/promises";
import { type Connection, connect, Hung } from "./request.ts";

/** An answer that takes longer counts as hung. */
const HUNG_MS = 3_000;

export interface Tally {
  answered: number;
  /** Failed, reset, or not the expected answer. */
  lost: number;
  hung: number;
  slowestMs: number;
  /** How often each failure came. */
  readonly failures: Map<string, number>;
}

export interface Clients {
  readonly tally: Tally;
  stop(): Promise<Tally>;
}

/** @param share of the clients that keep their connection; the others take a new one for each request */
export function startClients(port: number, count: number, share: number): Clients {
  const tally: Tally = { answered: 0, lost: 0, hung: 0, slowestMs: 0, failures: new Map() };
  let running = true;

  async function client(keepAlive: boolean): Promise<void> {
    let connection: Connection | null = null;
    while (running) {
      connection ??= connect(port, keepAlive);
      const startedAt = performance.now();
      try {
        const { status, body, headers } = await connection.ask("/", HUNG_MS);
        if (status !== 200 || body !== "hello") throw new Error(`status ${status} and ${body.length} bytes`);
        tally.answered++;
        if (!keepAlive || headers.some((header) => /^connection: close/i.test(header))) connection = drop(connection);
      } catch (error) {
        if (error instanceof Hung) tally.hung++;
        else tally.lost++;
        const what = `${keepAlive ? "kept" : "new"} connection: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`;
        tally.failures.set(what, (tally.failures.get(what) ?? 0) + 1);
        connection = drop(connection);
        // A refused connection fails at once: without a turn of the loop nothing else would run.
        await turn();
      }
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - startedAt);
    }
    drop(connection);
  }

  const all = Array.from({ length: count }, (_, index) => client(index < count * share));
  return {
    tally,
    async stop() {
      running = false;
      await Promise.all(all);
      return tally;
    },
  };
}

function drop(connection: Connection | null): null {
  connection?.close();
  return null;
}
