// Unmodified applications of Egg 3 and Egg 4, with plugins, schedules, the messenger, cluster-client and beforeClose. One service for each serves several
// tests: it takes seconds to start.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { countOf, type EggService, eventually, notInstalled, START_MS, startEgg, VERSIONS } from "../helpers/egg.ts";
import { ask, startLoad } from "../helpers/load.ts";
import { isAlive, kill } from "../helpers/processes.ts";
import { untilWhole } from "../helpers/strategies.ts";

/** Lines of several processes may come glued together: what is looked for has an end of its own. */
const said = ({ output }: EggService, text: string): number => output().split(text).length - 1;

for (const version of VERSIONS) {
  describe(`an application of Egg ${version}`, { skip: notInstalled(version), concurrency: 2 }, () => {
    test("starts, hears who is there, sends in all directions, and keeps its schedules", async (t) => {
      const service = await startEgg(t, version);
      await service.untilReady();
      const pids = await service.workerPids();
      const agentPid = await service.agentPid();
      await eventually("the agent has heard egg-ready", () => said(service, "agent heard egg-ready "));

      await t.test("egg-ready comes when everybody is there, once, and ends the start of each", async () => {
        const byAgent = [...service.output().matchAll(/agent heard egg-(?:ready |pids (\[[\d,]*\]))/g)].map(([, pids]) => pids);
        const lastPids = byAgent.slice(0, byAgent.indexOf(undefined)).at(-1) ?? "[]";
        assert.deepEqual(JSON.parse(lastPids).sort(), [...pids].sort());
        for (const heard of (await service.heard()).values()) {
          assert.equal(heard.filter((each) => each === "egg-ready").length, 1);
          assert.ok(heard.includes("serverDidReady"), "Egg's own hook has run");
          const first = heard.findIndex((each) => JSON.stringify(each) === JSON.stringify({ "egg-pids": [agentPid] }));
          assert.ok(first !== -1 && first < heard.indexOf("egg-ready"), `the agent is known before: ${JSON.stringify(heard)}`);
        }
      });

      await t.test("the messenger reaches all, one, the agent, and itself", async () => {
        const [one = 0] = pids;
        const untilHeard = async (data: string, count: Readonly<Record<number, number>>): Promise<void> => {
          await eventually(`${data} is heard by ${JSON.stringify(count)}`, async () => {
            const heard = await service.heard();
            return pids.every((pid) => countOf(heard.get(pid), "hello", data) === (count[pid] ?? 0));
          });
        };
        const both = Object.fromEntries(pids.map((pid) => [pid, 1]));
        const untilAgentHeard = (data: string): Promise<boolean> =>
          eventually(`the agent hears ${data}`, () => said(service, `agent heard hello "${data}"`) === 1);
        await service.say("sendToApp", "hello", "worker to app");
        await untilHeard("worker to app", both);
        await service.say("sendToAgent", "hello", "worker to agent");
        await untilAgentHeard("worker to agent");
        await service.say("broadcast", "hello", "worker to all");
        await untilHeard("worker to all", both);
        await untilAgentHeard("worker to all");
        await service.say("sendTo", one, "hello", "worker to one");
        await untilHeard("worker to one", { [one]: 1 });
        await service.say("sendTo", String(agentPid), "hello", "worker to the agent's pid");
        await untilAgentHeard("worker to the agent's pid");
        await service.say("sendRandom", "hello", "worker to any");
        await untilAgentHeard("worker to any");
        await service.say("send", "hello", "worker to nobody named");
        await untilAgentHeard("worker to nobody named");
        await service.say("sendToAgent", "say", { call: "sendToApp", args: ["hello", "agent to app"] });
        await untilHeard("agent to app", both);
        await service.say("sendToAgent", "say", { call: "send", args: ["hello", "agent to nobody named"] });
        await untilHeard("agent to nobody named", both);
        await service.say("sendToAgent", "say", { call: "sendTo", args: [one, "hello", "agent to one"] });
        await untilHeard("agent to one", { [one]: 1 });
        await service.say("sendToAgent", "say", { call: "sendRandom", args: ["hello", "agent to any"] });
        const total = await eventually("some worker hears the agent", async () =>
          [...(await service.heard()).values()].reduce((sum, heard) => sum + countOf(heard, "hello", "agent to any"), 0),
        );
        assert.equal(total, 1);
      });

      await t.test("the agent's schedules run in one worker and in all", async () => {
        await eventually("both kinds have run", async () => {
          const heard = [...(await service.heard()).values()];
          const isInOne = heard.some((each) => each.includes("schedule worker"));
          return isInOne && heard.every((each) => each.includes("schedule all"));
        });
      });

      await t.test("one connection of the agent's serves every worker (cluster-client)", async () => {
        await service.say("publish", "first");
        await eventually("both workers know what was published", async () => isTopic(await topicsOf(service), "first", agentPid));
      });

      await t.test("a new agent is known to all, leads, and keeps the schedules; the workers live on", async () => {
        kill(agentPid);
        const next = await eventually("another agent is ready", async () => {
          const pid = await service.agentPid();
          return pid === agentPid ? undefined : pid;
        });
        assert.deepEqual([...(await service.workerPids())].sort(), [...pids].sort());
        const ticks = new Map([...(await service.heard())].map(([pid, heard]) => [pid, heard.length]));
        await eventually("the workers hear its pid, and a schedule after it", async () =>
          [...(await service.heard())].every(([pid, heard]) => {
            const known = heard.findLastIndex((each) => JSON.stringify(each) === JSON.stringify({ "egg-pids": [next] }));
            return known !== -1 && heard.slice(Math.max(known, ticks.get(pid) ?? 0)).includes("schedule all");
          }),
        );
        // What the old one knew is gone with it, and so is what a follower says before it has come back.
        await eventually("both workers follow the new agent", async () => {
          await service.say("publish", "second");
          return isTopic(await topicsOf(service), "second", next);
        });
      });
      service.signal("SIGTERM");
      assert.equal((await service.exited(60_000)).code, 0, service.output());
    });

    test("is healed, reloaded without an error, and stopped with its requests finished", async (t) => {
      const service = await startEgg(t, version);
      await service.untilReady();

      await t.test("a worker that is killed or throws is replaced; an error that Egg ignores costs nobody", async () => {
        const before = await service.workerPids();
        const spared = (await service.post("/crash", { code: "EIGNORED" })).pid;
        const killed = before.find((pid) => pid !== spared) as number;
        kill(killed);
        await eventually("the killed worker has gone and another is there", async () => {
          const pids = await service.workerPids();
          return pids.length === 2 && !pids.includes(killed);
        });
        assert.ok((await service.workerPids()).includes(spared), "an error with an ignored code has ended nobody");
        const thrower = (await service.post("/crash", { code: "EOTHER" })).pid;
        await eventually("the worker that threw has gone and another is there", async () => {
          const pids = await service.workerPids();
          return !isAlive(thrower) && pids.length === 2 && !pids.includes(thrower);
        });
        assert.equal(await service.metric('rollcall_process_exits_total{role="worker",outcome="crash"}'), 1);
        await eventually("the agent knows who is there", async () =>
          said(service, `agent heard egg-pids ${JSON.stringify(await service.workerPids())}`),
        );
      });

      await t.test("a rolling reload under load costs no request", async (t) => {
        const load = startLoad(t, service.url("/"));
        await eventually("the load runs", () => load.succeeded() > 20);
        const before = await service.workerPids();
        service.signal("SIGHUP");
        await untilWhole(service, 2, 2, START_MS);
        const since = load.succeeded();
        await eventually("the new workers serve the load", () => load.succeeded() > since + 20);
        await load.stop();
        assert.deepEqual(load.failures(), []);
        assert.ok((await service.workerPids()).every((pid) => !before.includes(pid)));
      });

      await t.test("SIGTERM finishes 10 of 10 requests in flight, and runs beforeClose everywhere", async () => {
        const pids = await service.workerPids();
        const agentPid = await service.agentPid();
        const answers = Array.from({ length: 10 }, () => ask(service.url("/slow?ms=2000")));
        await eventually("10 requests are in flight", async () => {
          const counts = await Promise.all([0, 1].map((slot) => service.metric(`rollcall_requests_in_flight{slot="${slot}"}`)));
          return counts.reduce((sum, count) => sum + count, 0) === 10;
        });
        service.signal("SIGTERM");
        const bodies = (await Promise.all(answers)).map(({ body }) => body);
        assert.deepEqual(
          bodies,
          Array.from({ length: 10 }, () => "slow"),
        );
        assert.equal((await service.exited(60_000)).code, 0, service.output());
        for (const pid of pids) assert.equal(said(service, `worker ${pid} closed in peace`), 1, service.output());
        assert.equal(said(service, `agent ${agentPid} closed in peace`), 1);
      });
    });
  });
}

interface Topic {
  readonly pid: number;
  readonly value?: { readonly value: string; readonly by: number };
  readonly squared: { readonly result: number; readonly by: number };
}

/** What each worker knows of the topic, and what it hears from its leader. */
async function topicsOf(service: EggService): Promise<readonly Topic[]> {
  const topics = new Map<number, Topic>();
  await eventually("both workers tell of the topic", async () => {
    const topic = JSON.parse((await ask(service.url("/topic"))).body) as Topic;
    return topics.set(topic.pid, topic).size === 2;
  });
  return [...topics.values()];
}

function isTopic(topics: readonly Topic[], value: string, leader: number): boolean {
  return topics.every((topic) => topic.value?.value === value && topic.value.by === leader && topic.squared.by === leader);
}
