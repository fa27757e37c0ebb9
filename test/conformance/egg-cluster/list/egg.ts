// What Egg's own tests say of its cluster, case by case.
import * as by from "./held-by.ts";
import { at, type Chapter, notOurs, ours, same } from "./row.ts";

const FROM_THE_SERVER = "Egg's own, which it does on the event `server`; it has the server as from egg-cluster.";
const CLUSTER_CLIENT = "cluster-client's own business; it runs unchanged.";
const EGGS_MESSENGER = "Egg's own code, which runs unchanged.";
const NO_AGENT =
  "A process that is alone has no agent: what goes there is dropped, and a question is refused. Egg's single mode, which has both in one process, is Egg's.";
const READY_LOG = at("integration/daemon.test.ts", "returns when it is ready, keeps others off its pid file, and is stopped by it");

export const EGG: readonly Chapter[] = [
  {
    title: "egg: cluster1 and cluster2",
    rows: [
      ours("400 on broken packet", FROM_THE_SERVER, by.SERVER_EVENT),
      ours("server timeout: not", FROM_THE_SERVER, by.SERVER_EVENT),
      ours("server timeout: yes", FROM_THE_SERVER, by.SERVER_EVENT),
      ours("custom clientError", FROM_THE_SERVER, by.SERVER_EVENT),
      ours("no log without rawPacket", FROM_THE_SERVER, by.SERVER_EVENT),
      same("refuse other ip", by.CONFIG_LISTEN),
      same("cluster-client pub/sub (cluster)", by.EGG),
      notOurs("cluster-client pub/sub (single)", CLUSTER_CLIENT),
      notOurs("cluster-client: default response timeout", CLUSTER_CLIENT),
      notOurs("cluster-client: overwritten response timeout", CLUSTER_CLIENT),
      notOurs("cluster-client: close even if app throws", CLUSTER_CLIENT),
      notOurs("cluster-client: follower not throw", CLUSTER_CLIENT),
      ours('"egg started" in dev stdout', "The master's log says `ready in … ms`, with the addresses.", READY_LOG),
      ours('"egg started" in prod stdout', "The same.", READY_LOG),
      same("online start", by.FIRST_LIGHT),
      ours(
        "free port by master",
        "Below the ephemeral ports, so that no connection takes it while the agent is restarted.",
        by.OPTIONS,
        by.CONFIG_LISTEN,
      ),
      same("two apps on one host", by.CONFIG_LISTEN),
      same("custom env", by.ENVIRONMENT),
      same("agent start error not killing spawn parent", by.BAD_AGENT),
      same("restart after app exit", by.LEAVES),
      same("restart on uncaughtException", by.IGNORED_CODE, by.THROWS),
      same("not restart on serverGracefulIgnoreCode", by.IGNORED_CODE),
      same("still log on serverGracefulIgnoreCode", by.IGNORED_CODE),
      ours("master exit 1 on start fail", "3 for a worker, 4 for the agent, 7 for a port.", by.ENDS.appFails, by.ENDS.agentFails),
    ],
  },
  {
    title: "egg: agent.test.ts",
    rows: [
      notOurs("logger config", "Egg's own."),
      ours(
        "catch unhandled exception (a listener throws asynchronously)",
        "Survived with Egg 3 and 4 alike, and logged; `--agent-uncaught restart` for the other way.",
        by.AGENT_SURVIVES,
      ),
      same(
        "sync throw in listener caught",
        by.AGENT_SURVIVES,
        at(
          "integration/messenger.test.ts",
          "data arrive as what they are, a listener that throws costs its letter alone, and once is once",
        ),
      ),
      same("string error caught", by.AGENT_THROWS_A_WORD),
    ],
  },
  {
    title: "egg: messenger/ipc.test.ts",
    rows: [
      same("on(action)", by.EGG, by.LETTERS),
      notOurs("close removes listeners", EGGS_MESSENGER),
      same("accept agent message", by.EGG, by.PEERS),
      same("accept agent pid message", by.PRESENCE),
      same("agent accepts app message", by.PEERS),
      notOurs("agent should not send before started", `${EGGS_MESSENGER} What an agent sends early is kept for who is booting.`),
      same("broadcast each other", by.EGG, by.LETTERS),
      same("sendRandom", by.EGG, by.LETTERS),
      same("sendToApp/sendToAgent", by.EGG, by.LETTERS),
      ours("worker_threads mode", "For the agent (`--agent-mode thread`); workers are processes.", by.EGG_THREAD),
    ],
  },
  {
    title: "egg: messenger/local.test.ts (a single process)",
    rows: [
      same("broadcast from app", by.ALONE_SENDS),
      same("sendToApp from app", by.ALONE_SENDS),
      ours("sendToAgent from app", NO_AGENT, by.ALONE_SENDS),
      ours("sendRandom from app", NO_AGENT, by.ALONE_SENDS),
      same("sendTo from app", by.ALONE_SENDS),
      ours("send from app", `${NO_AGENT} \`rollcall/app\` has no \`send\`: every call says where to.`, by.ALONE_SENDS),
      notOurs("broadcast from agent", NO_AGENT),
      notOurs("sendToApp from agent", NO_AGENT),
      notOurs("sendToAgent from agent", NO_AGENT),
      notOurs("sendRandom from agent", NO_AGENT),
      notOurs("sendTo from agent", NO_AGENT),
      notOurs("send from agent", NO_AGENT),
      ours("ignore bad format", "An action that is no string, and a pid that is none, are refused in words.", by.ALONE_SENDS),
      same("emit by action", by.ALONE_SENDS),
    ],
  },
];
