// The tests of the packages that egg-cluster is made of, case by case: cfork, graceful-process, cluster-reload, sendmessage, graceful.
import * as by from "./held-by.ts";
import { at, type Chapter, notOurs, ours, same } from "./row.ts";

const NO_SLAVES =
  "cfork's slaves are workers that run another file; egg-cluster has none, and here the agent is the one process beside the workers.";
const NO_WARNING =
  "It is dropped, counted in `rollcall_messages_dropped_total`, and told in the log once a minute; a flood of stacks helps nobody.";
const ABSENT = at("integration/messenger.test.ts", "what is sent to nobody is dropped and counted");

export const PACKAGES: readonly Chapter[] = [
  {
    title: "cfork",
    rows: [
      same("should worker listen worked", by.FIRST_LIGHT),
      ours(
        "should mock worker error",
        "The worker that threw stops accepting, is replaced at once, and finishes what it has in hand.",
        by.THROWS,
      ),
      same("should worker exit", by.LEAVES),
      notOurs("should slave listen worked", NO_SLAVES),
      same("should get correct env value", by.ENVIRONMENT),
      ours(
        "should get CFORK_WORKER_INDEX env value",
        "The slot's number, stable through restarts; `ROLLCALL_SLOT` says it as well. There is no `CFORK_WORKER_COUNT`: the number changes by `rollcall scale`.",
        by.ENVIRONMENT,
        by.IGNORED_CODE,
      ),
      same("should mock worker async_error", by.THROWS),
      notOurs("should slave exit", NO_SLAVES),
      notOurs("should slave error and refork", NO_SLAVES),
      same("should make all workers down", by.CRASH_BOTH),
      ours(
        "should get message `reach refork limit`, no new fork worker",
        "A worker is tried again with growing delays, for ever while another one serves. When all fail, exit 6 says so at once, instead of a service without workers.",
        by.CRASH_LOOP,
      ),
      same("should kill all workers (kill_worker)", by.CRASH_BOTH),
      same(
        "should mock worker async_error (one_worker_cluster)",
        at(
          "integration/signals-reload.test.ts",
          "an uncaught exception: its worker is replaced at once, finishes what else it has in hand, and exits 1",
        ),
      ),
    ],
  },
  {
    title: "graceful-process",
    rows: [
      ours(
        "cluster: should workers auto exit when master kill by SIGKILL",
        "With 110 instead of 0, when they have finished what they have in hand.",
        by.LOST_MASTER,
      ),
      notOurs(
        "cluster: should workers auto exit, don't print info log",
        "graceful-process prints nothing here, for it is not there; Rollcall's log is the master's.",
      ),
      same("cluster: should workers auto exit when master kill by SIGTERM", by.SIGNALS),
      ours(
        "cluster: should always listen sigterm work",
        "A child takes orders from its master alone; the signals of a terminal or an init do nothing.",
        by.NO_COPIES,
      ),
      same("child_process.fork: should worker exit after master kill by SIGKILL", by.LOST_MASTER),
      ours("child_process.fork: should always listen sigterm work", "The same.", by.NO_COPIES),
      same("beforeExit: normal function", by.HOOKS),
      same("beforeExit: function return promise", by.HOOKS),
      same("beforeExit: async function", by.HOOKS),
      ours("beforeExit: exit when async error", "The error is printed, and stops no other hook.", by.HOOKS),
      ours("beforeExit: exit when function error", "The same.", by.HOOKS),
      ours(
        "beforeExit: exit when function timeout error",
        "Cut at the deadline of the stop, which is one for all (`--stop-timeout`), and named.",
        by.HOOK_CUT,
      ),
    ],
  },
  {
    title: "cluster-reload",
    rows: [
      same("should got 200", by.FIRST_LIGHT),
      ours(
        "should work with reloading",
        "Their test asks again until it is answered, which hides an outage; ours counts every request.",
        by.RELOAD,
      ),
      ours(
        "should work with reload again",
        "A reload during a reload is queued, once.",
        at("integration/signals-reload.test.ts", "1,000 times at once is one reload and at most one more"),
      ),
      same("should reload 1 workers still work", at("integration/start.test.ts", "starts a service, orders it about, and stops it")),
      same("should exit and reload work", at("integration/restarts.test.ts", "ends a reload well although an old worker is killed in it")),
    ],
  },
  {
    title: "sendmessage",
    rows: [
      same("should emit when not child process", by.ALONE_SENDS),
      same("child_process.fork: should send message", by.TO_APP),
      ours("child_process.fork: should show warning when channel closed", NO_WARNING, by.PARENT_DIES, ABSENT),
      same("cluster.fork: should send message", by.PEERS),
      ours("cluster.fork: should show warning when channel closed", NO_WARNING, ABSENT),
      same("worker_threads: should send message", by.THREAD_SENDS),
      notOurs("SENDMESSAGE_ONE_PROCESS: should emit", "A switch of theirs; a process without a master knows it by itself."),
    ],
  },
  {
    title: "graceful",
    rows: [
      same("should GET / 200", by.FIRST_LIGHT),
      same("should GET /public/foo.js 200", by.FIRST_LIGHT),
      ours(
        "should GET /sync_error 500",
        "A framework answers its own errors. What nobody catches fails that request alone, at once, and its worker is replaced.",
        at(
          "integration/drain-fault.test.ts",
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands in the file
          "${when}: its client is told at once; requests in flight and clients with keep-alive lose nothing",
        ),
      ),
      same(
        "should kill all children (ignore)",
        at("integration/descendants.test.ts", "go with a worker that is killed from outside, and those of the other worker stay"),
      ),
      same(
        "should kill all children (worker)",
        at("integration/descendants.test.ts", "go with a stop, all of them, and nothing else does"),
      ),
    ],
  },
];
