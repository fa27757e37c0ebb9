// One owner per port: SO_REUSEPORT lets nobody else in, however close together two services start.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { listenersOf } from "../helpers/listeners.ts";
import { ask } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import { isAlive, kill } from "../helpers/processes.ts";
import { FIXTURES, type Service } from "../helpers/service.ts";
import { type Ground, STRATEGIES, startListening, untilAllAnswer } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

/** Pairs of services that start in the same moment. */
const PAIRS = 4;
const STOP_MS = 5_000;

/** A service whose app wants exactly this port. */
function startOn(t: TestContext, port: number, declared: boolean, workers = 1, listen: Ground["listen"] = "paired"): Promise<Service> {
  const flags = declared ? ["--port", String(port)] : [];
  return startListening(t, { listen, declared: false }, { workers, flags, env: { APP_PORT: String(port) } });
}

/** Returns its pid. */
async function startPlain(t: TestContext, port: number): Promise<number> {
  const plain = spawn(process.execPath, [`${FIXTURES}listen-plain.mjs`, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => kill(plain.pid as number));
  await once(plain.stdout, "data");
  return plain.pid as number;
}

/** Who answers on the port, asked again and again from now on. */
function watchAnswers(port: number): { stop(): Promise<readonly number[]> } {
  const pids = new Set<number>();
  let isRunning = true;
  const asking = (async () => {
    for (let asked = 0; isRunning || asked === 0; ) {
      await ask(`http://127.0.0.1:${port}/`).then(
        ({ body }) => {
          pids.add((JSON.parse(body) as { pid: number }).pid);
          asked++;
        },
        () => sleep(5),
      );
    }
  })();
  return {
    async stop() {
      isRunning = false;
      await asking;
      return [...pids];
    },
  };
}

const exitCode = async (service: Service): Promise<number | null> => (await service.exited()).code;

describe("a port", { concurrency: 2 }, () => {
  for (const declared of [true, false]) {
    const how = declared ? "declared" : "undeclared";

    test(`${how}, of a running service: a second one exits with 7 and names it; the first serves on`, async (t) => {
      const port = await freePort();
      const first = await startOn(t, port, declared, 2);
      await first.untilReady();
      const second = await startOn(t, port, declared, 2);
      assert.equal(await exitCode(second), 7, second.output());
      assert.ok(second.hasLogged(new RegExp(`port ${port}`)) || second.output().includes(`port ${port}`), second.output());
      assert.equal((await ask(`http://127.0.0.1:${port}/`)).status, 200);
    });

    test(`${how}, wanted by two services in the same moment, ${PAIRS} times: one has it, the other exits with 7`, async (t) => {
      for (let pair = 0; pair < PAIRS; pair++) {
        const port = await freePort();
        const both = await Promise.all([startOn(t, port, declared, 2), startOn(t, port, declared, 2)]);
        const exits = both.map((service) => once(service.process, "exit").then(() => service));
        const answers = watchAnswers(port);
        const loser = await Promise.race(exits);
        const winner = both.find((service) => service !== loser) as Service;
        assert.equal(await exitCode(loser), 7, loser.output());
        await winner.untilReady();
        const pids = await answers.stop();
        const workers = await winner.workerPids();
        assert.ok(pids.length > 0);
        assert.deepEqual(
          pids.filter((pid) => !workers.includes(pid)),
          [],
          `answers of the loser, on port ${port}`,
        );
        winner.signal("SIGTERM");
        assert.equal(await exitCode(winner), 0, winner.output());
      }
    });

    for (const listen of STRATEGIES) {
      test(`${how}, of a plain server, with ${listen}: exits with 7 and names the server`, async (t) => {
        const port = await freePort();
        const pid = await startPlain(t, port);
        const service = await startOn(t, port, declared, 1, listen);
        assert.equal(await exitCode(service), 7, service.output());
        assert.match(service.output(), new RegExp(`port ${port} for the app is taken by process ${pid} `));
        assert.equal((await ask(`http://127.0.0.1:${port}/`)).body, "plain");
      });
    }

    test(`${how}, beside one that is free, of a plain server: exits with 7 too`, async (t) => {
      const [port, second] = [await freePort(), await freePort()];
      await startPlain(t, second);
      const flags = declared ? ["--port", String(port), "--port", String(second)] : [];
      const env = { APP_PORT: String(port), LISTEN: JSON.stringify([{}, { port: second }]) };
      const service = await startListening(t, { listen: "paired", declared: false }, { workers: 1, flags, env });
      assert.equal(await exitCode(service), 7, service.output());
      assert.ok(service.output().includes(`port ${second}`), service.output());
    });

    test(`${how}, of a master that was killed: a new one has it within the stop budget, while the old workers finish`, async (t) => {
      const port = await freePort();
      const first = await startOn(t, port, declared, 2);
      await first.untilReady();
      const workers = await first.workerPids();
      t.after(() => {
        for (const pid of workers) kill(pid);
      });
      const slow = ask(`http://127.0.0.1:${port}/?ms=2000`);
      await until("it is in flight", async () =>
        (await first.status()).workers.some(({ processes }) => processes.some(({ requestsInFlight }) => requestsInFlight === 1)),
      );
      kill(first.pid);
      await until("the old workers have let go of the port", () => listenersOf(port).length === 0, STOP_MS);
      const second = await startOn(t, port, declared, 2);
      await second.untilReady();
      await untilAllAnswer({ ...second, url: (path) => `http://127.0.0.1:${port}${path}` }, 2);
      assert.equal((await slow).status, 200);
      await until("the old workers are gone", () => !workers.some(isAlive));
    });
  }
});
