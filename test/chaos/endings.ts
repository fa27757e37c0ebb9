// How a round ends: a stop, in peace or in the midst of something, within its budget, with the exit code that says how, and nothing left.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { listenersOf } from "../helpers/listeners.ts";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import type { Chance } from "../helpers/seed.ts";
import { hasAgent, tellAgent } from "./deeds-to-the-agent.ts";
import { startLoad } from "./load.ts";
import type { Drawable } from "./plan.ts";
import { type Scene, STOP_TIMEOUT_MS } from "./scene.ts";
import { describe, patiently, startStopwatch } from "./strain.ts";

/** After the deadline: the kernel ends what was killed, the last log line is written. */
const SLACK_MS = 5_000;
const [SIGTERM, SIGINT] = [15, 2];

export interface Ending extends Drawable {
  /** Nobody who has a connection loses anything. */
  readonly graceful?: true;
  /** Stops the service. @returns the exit codes that it may have */
  readonly run: (scene: Scene, chance: Chance) => Promise<readonly number[]>;
}

/** Requests that are in hand when the stop begins are answered. */
async function askSlowly(scene: Scene, ms: number): Promise<() => Promise<void>> {
  const answers = Promise.all(Array.from({ length: 4 }, () => ask(scene.service.url(`/?ms=${ms}`)))).then(
    (all) => all.map(({ status }) => status),
    (error: Error) => error.message,
  );
  await patiently("they are in hand", async () => {
    const { workers } = await scene.service.status();
    const inHand = workers.flatMap(({ processes }) => processes.map(({ requestsInFlight }) => requestsInFlight ?? 0));
    return inHand.reduce((sum, each) => sum + each, 0) >= 4;
  });
  return async () => assert.deepEqual(await answers, [200, 200, 200, 200], "P1: what is in hand is answered");
}

/** The second one counts once the first is half a second old by the master's clock; on a slow machine it may have to be said again. */
async function signalTwice({ service }: Scene, signals: readonly [NodeJS.Signals, NodeJS.Signals]): Promise<void> {
  service.signal(signals[0]);
  await patiently("it stops", () => service.hasLogged(/stopping within/));
  await patiently("it stops fast", async () => {
    await sleep(600);
    if (service.process.exitCode === null) service.signal(signals[1]);
    return service.hasLogged(/fast stop/) || service.process.exitCode !== null;
  });
}

export const ENDINGS: readonly Ending[] = [
  {
    name: "TERM",
    weight: 3,
    graceful: true,
    run: async (scene, chance) => {
      const answered = await askSlowly(scene, 2_500);
      scene.service.signal(chance.pick(["SIGTERM", "SIGINT", "SIGQUIT"] as const));
      await answered();
      return [0];
    },
  },
  {
    name: "TERM in the midst of a reload",
    weight: 2,
    graceful: true,
    run: async (scene, chance) => {
      scene.service.signal("SIGHUP");
      await patiently("it reloads", async () => (await scene.service.status()).reloading);
      await sleep(chance.below(2_500));
      scene.service.signal("SIGTERM");
      return [0];
    },
  },
  {
    name: "TERM with a worker that stands still",
    weight: 2,
    run: async (scene, chance) => {
      kill(chance.pick(await scene.service.workerPids()), "SIGSTOP");
      scene.service.signal("SIGTERM");
      return [8];
    },
  },
  {
    name: "TERM with an agent that stands still",
    weight: 2,
    isFor: hasAgent,
    graceful: true,
    run: async (scene, chance) => {
      await tellAgent(scene, chance.pick(["loop", "wait", "stick"]));
      scene.service.signal("SIGTERM");
      return [8];
    },
  },
  {
    // It is away by then, or on its way back, or ready again.
    name: "TERM after the end of the agent",
    weight: 2,
    isFor: hasAgent,
    graceful: true,
    run: async (scene, chance) => {
      await tellAgent(scene, chance.pick(["exit", "kill"]));
      await sleep(chance.below(600));
      scene.service.signal("SIGTERM");
      return [0];
    },
  },
  {
    name: "TERM, and all workers are killed",
    weight: 1,
    run: async (scene) => {
      const pids = await scene.service.workerPids();
      scene.service.signal("SIGTERM");
      for (const pid of pids) kill(pid);
      return [0];
    },
  },
  {
    name: "TERM twice",
    weight: 2,
    run: async (scene, chance) => {
      // Something must be in hand: else the first one is through before the second comes.
      void ask(scene.service.url("/?ms=60000")).catch(() => {});
      await patiently("it is in hand", async () =>
        (await scene.service.status()).workers.some(({ processes }) =>
          processes.some(({ requestsInFlight }) => (requestsInFlight ?? 0) > 0),
        ),
      );
      const second = chance.pick(["SIGTERM", "SIGINT"] as const);
      await signalTwice(scene, ["SIGTERM", second]);
      return [128 + (second === "SIGTERM" ? SIGTERM : SIGINT)];
    },
  },
  {
    name: "stop --fast",
    weight: 1,
    run: async (scene) => {
      const answer = await scene.order({ command: "stop", fast: true });
      assert.equal(answer?.event, "ended", JSON.stringify(answer));
      return [128 + SIGTERM];
    },
  },
];

/** Runs the ending and holds it to its budget. @returns in words how it went */
export async function endService(scene: Scene, ending: Ending, chance: Chance): Promise<string> {
  const { service } = scene;
  const load = startLoad(scene.t, service.appPort);
  await patiently("a new load runs", () => load.answered() > 50);
  const passed = startStopwatch();
  const exited = service.exited(STOP_TIMEOUT_MS * 20);
  exited.catch(() => {});
  const codes = await ending.run(scene, chance);
  const { code } = await exited;
  const stretch = passed();
  assert.ok(codes.includes(code ?? -1), `P7: expected exit code ${codes.join(" or ")}, got ${code}`);
  assert.ok(stretch.fairMs < STOP_TIMEOUT_MS + SLACK_MS, `P3: the stop took ${describe(stretch)}`);
  let isOver = false;
  void load.stop().then(() => (isOver = true));
  await patiently("every request has ended", () => isOver).catch((error: Error) => {
    throw new Error(`P3: 0 hung: ${error.message}; outstanding: ${load.outstanding(Number.POSITIVE_INFINITY).join("; ")}`);
  });
  // A connection that nobody had accepted yet when the port was closed is reset, and all later ones are refused.
  const broken = load.losses().filter((loss) => loss.previousAt !== null && scene.ledger.explain(loss) === null);
  if (ending.graceful) assert.deepEqual(broken, [], "P1: whoever has a connection is answered to the end");
  await patiently("P7: no process is left", () => scene.processes().length === 0).catch((error: Error) => {
    throw new Error(`${error.message}; left: ${scene.processes().join(", ")}`);
  });
  assert.equal(existsSync(service.control), false, "the control socket is removed");
  assert.deepEqual(listenersOf(service.appPort), [], "nobody listens");
  return `exit ${code} after ${describe(stretch)}`;
}
