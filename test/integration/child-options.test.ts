// What children are started with: the inspector on a port of each one's own, modules that come first, titles.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { freeRow } from "../helpers/ports.ts";
import { FIXTURES, runRollcall, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

test("the heap that Node is to have is known however it is given: a percentage before a size, and the last of each", async (t) => {
  const heapOf = async (...flags: readonly string[]): Promise<number> => {
    const { stdout, stderr } = await runRollcall(t, ["config", ...flags.map((flag) => `--node-arg=${flag}`), `${FIXTURES}http.mjs`]);
    return Number(/heap: (\d+) MiB, as set/.exec(stdout)?.[1] ?? assert.fail(stdout + stderr));
  };
  assert.equal(await heapOf("--max-old-space-size=100", "--max-old-space-size=200"), 200);
  const whole = await heapOf("--max-old-space-size-percentage=100");
  assert.equal(await heapOf("--max-old-space-size-percentage=50", "--max-old-space-size=100"), Math.floor(whole / 2));
});

test("--debug-port gives the agent and every slot an inspector, which a successor takes over", async (t) => {
  const base = await freeRow(3);
  const service = await startService(t, {
    ...{ app: "http.mjs", agent: "agent.mjs", workers: 2, flags: ["--debug-port", String(base), "--drain-idle", "100ms"] },
  });
  await service.untilReady();
  /** Names one inspector: it changes with the process. */
  const target = (port: number): Promise<string> =>
    until(`an inspector answers on ${port}`, async () => {
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { id: string; url: string }[];
      return targets[0]?.id;
    });
  const before = [await target(base), await target(base + 1), await target(base + 2)];
  assert.equal(new Set(before).size, 3);
  service.signal("SIGHUP");
  await until("the reload is done", () => service.hasLogged(/^reload done/));
  await until(
    "the new workers have the ports",
    async () => (await target(base + 1)) !== before[1] && (await target(base + 2)) !== before[2],
  );
  assert.equal(await target(base), before[0], "the agent was not replaced");
  assert.doesNotMatch(service.output(), /Starting inspector on .* failed/);
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
});

test("--require and --import come before the app, in the agent and in workers, from the working folder", async (t) => {
  const service = await startService(t, {
    ...{ app: "preloaded-app.mjs", agent: "preloaded-app.mjs", workers: 1, cwd: FIXTURES },
    flags: ["--require", "./preloaded.cjs", "--import", "./preloaded.mjs"],
  });
  await service.untilReady();
  for (const role of ["agent", "worker"])
    await until(`the ${role} has printed`, () => service.output().includes(`${role}: required in ${role}, imported in ${role}\n`));
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
});

test("--title names every process, with what it is", async (t) => {
  const service = await startService(t, { app: "http.mjs", agent: "agent.mjs", workers: 1, flags: ["--title", "shop"] });
  await service.untilReady();
  const { agent, workers, pid } = await service.status();
  const nameOf = (of: number | null | undefined): string => readFileSync(`/proc/${of}/cmdline`, "latin1").replaceAll("\0", " ").trim();
  assert.equal(nameOf(pid), "shop: master");
  assert.equal(nameOf(agent?.processes[0]?.pid), "shop: agent");
  assert.equal(nameOf(workers[0]?.processes[0]?.pid), "shop: worker 0");
  service.signal("SIGTERM");
  assert.equal((await service.exited()).code, 0, service.output());
});
