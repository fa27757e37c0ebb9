// The whole table of exit codes: what the container's runtime sees in the end, and how each comes about.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { steer } from "../../fixtures/apps/roll-steering.ts";
import { ask } from "../../helpers/load.ts";
import { firstBelow } from "../../helpers/namespaces.ts";
import { freePort } from "../../helpers/ports.ts";
import { childrenOf, kill } from "../../helpers/processes.ts";
import { type Service, type ServiceOptions, startService } from "../../helpers/service.ts";
import { until } from "../../helpers/until.ts";

type Start = (options: ServiceOptions) => Promise<{ readonly service: Service; readonly init: () => Promise<number> }>;

interface Row {
  readonly code: number;
  readonly when: string;
  /** Brings a service to its end. */
  readonly end: (t: TestContext, start: Start) => Promise<Service>;
}

const THROWING = fileURLToPath(new URL("../../fixtures/throw-in-master.cjs", import.meta.url));
export const QUICK: readonly string[] = ["--backoff-delay", "20ms", "--backoff-limit", "50ms", "--drain-idle", "100ms"];
const STEERED = { app: "roll-steered.mjs", workers: 2 } as const;

async function startReady(start: Start, options: ServiceOptions): Promise<{ readonly service: Service; readonly init: number }> {
  const { service, init } = await start(options);
  await service.untilReady();
  return { service, init: await init() };
}

/** New ones cannot boot from now on, and those that there are die. */
async function lose(steering: ReturnType<typeof steer>, init: number, workers: readonly number[]): Promise<void> {
  steering.on("down", ...workers);
  for (const pid of childrenOf(init).filter(isWorker)) kill(pid);
}

export const ROWS: readonly Row[] = [
  {
    code: 0,
    when: "a clean stop",
    async end(_, start) {
      const { service, init } = await startReady(start, { app: "http.mjs", workers: 1, flags: QUICK });
      kill(init, "SIGTERM");
      return service;
    },
  },
  {
    code: 1,
    when: "an unexpected error of the master's own",
    async end(t, start) {
      const folder = mkdtempSync(join(tmpdir(), "rc-"));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const when = join(folder, "now");
      const env = { NODE_OPTIONS: `--require=${THROWING}`, THROW_WHEN: when };
      const { service } = await startReady(start, { app: "http.mjs", workers: 1, env, flags: QUICK });
      writeFileSync(when, "");
      return service;
    },
  },
  {
    code: 2,
    when: "a mistake in the configuration",
    end: async (_, start) => (await start({ app: "http.mjs", flags: ["--stop-timeout", "soon"] })).service,
  },
  {
    code: 3,
    when: "a worker that cannot boot",
    end: async (_, start) => (await start({ app: "bad-throws.mjs", workers: 1 })).service,
  },
  {
    code: 4,
    when: "an agent that cannot boot",
    end: async (_, start) => (await start({ app: "http.mjs", agent: "bad-throws.mjs", workers: 1 })).service,
  },
  {
    code: 5,
    when: "the third strike",
    async end(t, start) {
      const steering = steer(t);
      const flags = [...QUICK, "--max-restarts", "1000000", "--roll-call-period", "300ms", "--linger", "0ms", "--stop-timeout", "4s"];
      const { service, init } = await startReady(start, { ...STEERED, env: steering.env, flags });
      await lose(steering, init, [0, 1]);
      return service;
    },
  },
  {
    code: 6,
    when: "a crash loop",
    async end(t, start) {
      const steering = steer(t);
      const flags = [...QUICK, "--max-restarts", "3", "--roll-call-period", "1h"];
      const { service, init } = await startReady(start, { ...STEERED, env: steering.env, flags });
      await lose(steering, init, [0, 1]);
      return service;
    },
  },
  {
    code: 7,
    when: "a port that is taken",
    async end(t, start) {
      const port = await freePort();
      const holder = net.createServer();
      t.after(() => void holder.close());
      await new Promise<void>((resolve) => holder.listen(port, resolve));
      return (await start({ app: "http.mjs", workers: 1, declared: false, flags: ["--port", String(port)] })).service;
    },
  },
  {
    code: 8,
    when: "a worker that had to be killed at the deadline",
    async end(_, start) {
      const { service, init } = await startReady(start, { app: "http.mjs", workers: 1, flags: ["--stop-timeout", "2s"] });
      ask(service.url("/block?ms=60000")).catch(() => {});
      await until("the worker blocks", () => service.output().includes("app: blocks"));
      kill(init, "SIGTERM");
      return service;
    },
  },
  ...(
    [
      ["SIGTERM", 143],
      ["SIGINT", 130],
      ["SIGQUIT", 131],
    ] as const
  ).map(([signal, code]) => ({
    code,
    when: `a second signal, ${signal}`,
    async end(_: TestContext, start: Start) {
      const { service, init } = await startReady(start, { app: "http.mjs", workers: 1, flags: ["--stop-timeout", "60s"] });
      ask(service.url("/block?ms=60000")).catch(() => {});
      await until("the worker blocks", () => service.output().includes("app: blocks"));
      kill(init, "SIGTERM");
      await until("the stop begins", () => service.hasLogged(/stopping within/));
      // What comes within half a second of the first is taken for its copy: repeated until it counts.
      await until("a second one counts", () => {
        if (!service.hasLogged(/fast stop/)) kill(init, signal);
        return service.hasLogged(/fast stop/) || service.process.exitCode !== null;
      });
      return service;
    },
  })),
];

/** Each row, behind the wrapper. */
export function showExitCodes(place: string, wrapper: readonly string[], skip: string | false): void {
  describe(`the exit code ${place}`, { concurrency: 2, skip }, () => {
    for (const { code, when, end } of ROWS) {
      test(`${code}: ${when}`, async (t) => {
        const service = await end(t, async (options) => {
          const started = await startService(t, { ...options, wrapper });
          return { service: started, init: () => firstBelow(started.pid) };
        });
        const exit = await service.exited();
        assert.deepEqual([exit.code, exit.signal], [code, null], service.output());
      });
    }
  });
}

function isWorker(pid: number): boolean {
  return readText(`/proc/${pid}/environ`).includes("ROLLCALL_ROLE=worker");
}

export function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
