// Every strategy, on a declared and on an undeclared port: all workers serve, every socket on the port is accepted from, the master holds each.
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { fdsOf, listenersOf, socketsOf } from "../helpers/listeners.ts";
import { type Service, startService } from "../helpers/service.ts";
import { untilAllAnswer } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

const WORKERS = 3;

interface Strategy {
  readonly listen: string;
  /** How many sockets a declared port has, and how many workers have each of them open; null: the master accepts. */
  readonly declared: { readonly sockets: number; readonly workers: number | null };
}

const STRATEGIES: readonly Strategy[] = [
  { listen: "auto", declared: { sockets: WORKERS, workers: 2 } },
  { listen: "paired", declared: { sockets: WORKERS, workers: 2 } },
  { listen: "per-worker", declared: { sockets: WORKERS, workers: 1 } },
  { listen: "shared", declared: { sockets: 1, workers: WORKERS } },
  { listen: "round-robin", declared: { sockets: 1, workers: null } },
  { listen: "sticky", declared: { sockets: 1, workers: null } },
];

const start = (t: TestContext, listen: string, declared: boolean): Promise<Service> =>
  startService(t, { app: "listen-http.mjs", workers: WORKERS, declared, flags: ["--listen", listen, "--drain-idle", "100ms"] });

/** For each listening socket on the port, how many of these processes have it open. */
function holders(port: number, pids: readonly number[]): readonly number[] {
  const open = pids.map(socketsOf);
  return listenersOf(port).map(({ inode }) => open.filter((inodes) => inodes.has(inode)).length);
}

describe("listening", { concurrency: 2, skip: process.platform !== "linux" && "needs /proc" }, () => {
  for (const { listen, declared } of STRATEGIES) {
    const isHandedOver = declared.workers === null;
    test(`${listen}, declared: every worker serves, and each of ${declared.sockets} sockets has its workers`, async (t) => {
      const service = await start(t, listen, true);
      await service.untilReady();
      await untilAllAnswer(service, WORKERS);
      const workers = await service.workerPids();
      const expected = (count: number): readonly number[] => Array.from({ length: declared.sockets }, () => count);
      assert.deepEqual(holders(service.appPort, [service.pid]), expected(1), "the master holds every socket");
      assert.deepEqual(holders(service.appPort, workers), expected(declared.workers ?? 0));
      for (const pid of workers) {
        const listening = new Set(listenersOf(service.appPort).map(({ inode }) => `socket:[${inode}]`));
        const held = fdsOf(pid).filter(({ target }) => listening.has(target));
        assert.deepEqual(
          held.filter(({ closesOnExec }) => !closesOnExec),
          [],
          "what a worker spawns inherits none of them",
        );
      }
    });

    test(`${listen}, undeclared: every worker serves, and the master holds each socket that they bound`, async (t) => {
      const service = await start(t, listen, false);
      await service.untilReady();
      await untilAllAnswer(service, WORKERS);
      await until("the master holds every socket", () => holders(service.appPort, [service.pid]).every((count) => count === 1));
      const workers = await service.workerPids();
      if (!isHandedOver) {
        await until("every socket has a worker", () => holders(service.appPort, workers).every((count) => count > 0));
      }
      // Whoever replaces them has all of the sockets from the start, and none is left without anybody.
      const before = listenersOf(service.appPort).map(({ inode }) => inode);
      service.signal("SIGHUP");
      await until("generation 2 runs", async () => {
        const status = await service.status();
        const isAlone = status.workers.every(({ processes }) => processes.length === 1);
        return status.generation === 2 && !status.reloading && status.workersReady === WORKERS && isAlone;
      });
      if (!isHandedOver) {
        assert.deepEqual(
          listenersOf(service.appPort).map(({ inode }) => inode),
          before,
        );
        const accepting = holders(service.appPort, await service.workerPids());
        assert.ok(
          accepting.every((count) => count > 0),
          `workers at each socket: ${accepting.join(", ")}`,
        );
      }
      await untilAllAnswer(service, WORKERS);
    });
  }
});
