// Chaos: a real service under load, harm at random, and the promises of the README looked at after each deed. Rounds go on for ROLLCALL_CHAOS_SECONDS
// (60); each has a seed, which it prints, and ROLLCALL_SEED repeats what the first round decides. Needs ss; as many minutes as you give it.
import { describe as suite, test } from "node:test";
import { inspect } from "node:util";
import { chanceOf, chooseSeed } from "../helpers/seed.ts";
import { hasSs } from "../helpers/victims.ts";
import { startChecks } from "./checks.ts";
import type { Deed } from "./deed.ts";
import { DEEDS_TO_THE_AGENT } from "./deeds-to-the-agent.ts";
import { DEEDS_TO_THE_MASTER } from "./deeds-to-the-master.ts";
import { DEEDS_TO_WORKERS } from "./deeds-to-workers.ts";
import { ENDINGS, type Ending, endService } from "./endings.ts";
import { drawPlan, name, type Plan } from "./plan.ts";
import { type Scene, setScene } from "./scene.ts";
import { describe, startStopwatch } from "./strain.ts";

const MS = Number(process.env.ROLLCALL_CHAOS_SECONDS ?? 60) * 1_000;
/** The steps at the end of the time, the last stop, and all of it on a slow machine. */
const MORE_MS = 1_200_000;
const DEEDS: readonly Deed[] = [...DEEDS_TO_WORKERS, ...DEEDS_TO_THE_AGENT, ...DEEDS_TO_THE_MASTER];

suite("chaos", { skip: !hasSs && "needs ss", timeout: MS + MORE_MS }, () => {
  test(`${MS / 1_000} s of it break no promise`, { timeout: MS + MORE_MS }, async (t) => {
    const endsAt = performance.now() + MS;
    const first = chooseSeed();
    let isBroken = false;
    for (let seed = first; performance.now() < endsAt && !isBroken; seed++) {
      const plan = drawPlan(seed, DEEDS, ENDINGS);
      tell(`ROLLCALL_SEED=${seed}: ${name(plan.ground)}, ${plan.steps.length} steps`);
      await t.test(`round ${seed - first + 1}, ROLLCALL_SEED=${seed}: ${name(plan.ground)}`, { timeout: MS + MORE_MS }, async (round) => {
        isBroken = true;
        await runRound(await setScene(round, plan.ground, seed), plan, endsAt);
        isBroken = false;
      });
    }
  });
});

async function runRound(scene: Scene, plan: Plan<Deed, Ending>, endsAt: number): Promise<void> {
  const { load, watch, service } = scene;
  const checks = await startChecks(scene);
  for (const [index, { deed, seed }] of plan.steps.entries()) {
    if (performance.now() > endsAt) break;
    await during(scene, plan.seed, `step ${index + 1}, ${deed.name}`, async () => {
      const told = await deed.run(scene, chanceOf(seed));
      await scene.untilWhole();
      await checks.check(deed);
      return told;
    });
  }
  await during(scene, plan.seed, "rest", async () => {
    await Promise.all([load.stop(), watch.stop()]);
    await checks.checkAtRest();
    return `${load.answered()} answered, ${load.losses().length} lost with victims`;
  });
  await during(scene, plan.seed, `ending, ${plan.ending.deed.name}`, () => endService(scene, plan.ending.deed, chanceOf(plan.ending.seed)));
  if (service.process.exitCode === null) throw new Error("it has not ended");
}

/** Tells what was done; a broken promise with all that is needed to understand it. */
async function during(scene: Scene, seed: number, what: string, act: () => Promise<string>): Promise<void> {
  const passed = startStopwatch();
  const from = scene.service.output().length;
  try {
    const told = await act();
    tell(`  ${what}${told === "" ? "" : ` (${told})`}: ${describe(passed())}`);
  } catch (error) {
    const log = scene.service.output().slice(from);
    const head = `a promise is broken: ROLLCALL_SEED=${seed}, ${name(scene.ground)}, ${what}, after ${describe(passed())}`;
    throw new Error(`${head}\n${inspect(error, { depth: 4 })}\n— the master's log of this step —\n${log}`);
  }
}

/** At once: the test's reporter waits for the end of a round. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
