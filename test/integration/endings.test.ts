// How real workers end, and what it is called in the log, the metrics and the status: one name for each end, and the slot is back after any of them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pidOf } from "../fixtures/apps/roll-steering.ts";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const FLAGS = [
  "--roll-call-period",
  "10m",
  "--stop-timeout",
  "4s",
  "--drain-idle",
  "200ms",
  "--backoff-delay",
  "50ms",
  "--backoff-limit",
  "50ms",
];
const OUTCOMES = ["clean", "crash", "boot_failure", "killed", "oom", "unresponsive"] as const;
const LONG_MS = 60_000;

async function counts(service: Service): Promise<Readonly<Record<string, number>>> {
  const found: Record<string, number> = {};
  for (const outcome of OUTCOMES) found[outcome] = await service.metric(`rollcall_process_exits_total{role="worker",outcome="${outcome}"}`);
  return found;
}

const NONE = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0]));
/** A request that ends its worker has no answer, or half of one. */
const end = (service: Service, way: string): Promise<unknown> => ask(service.url(way)).catch(() => {});

describe("the end of a worker", { concurrency: 2 }, () => {
  for (const [how, bring, outcome, signal, words] of [
    ["exits by itself with code 0", (service: Service) => end(service, "/exit"), "crash", null, /^worker 0 exited with code 0$/],
    ["calls abort()", (service: Service) => end(service, "/abort"), "crash", "SIGABRT", /^worker 0 was ended by SIGABRT/],
    ["meets a segmentation fault", (service: Service) => end(service, "/segfault"), "crash", "SIGSEGV", /^worker 0 was ended by SIGSEGV$/],
    ["fills its heap", (service: Service) => end(service, "/heap"), "crash", "SIGABRT", /^worker 0 was ended by SIGABRT/],
    ["throws where nobody catches", (service: Service) => end(service, "/throw"), "crash", null, /^worker 0 exited with code 1$/],
    [
      "is killed by somebody",
      async (service: Service) => kill(await pidOf(service, 0)),
      "killed",
      "SIGKILL",
      /^worker 0 was ended by SIGKILL$/,
    ],
    ["is asked to leave", async (service: Service) => service.signal("SIGHUP"), "clean", null, /^worker 0 stopped \(exited with code 0\)$/],
  ] as const) {
    test(`that ${how} is called ${outcome}`, async (t) => {
      const service = await startService(t, {
        app: "how-it-ends.mjs",
        workers: 1,
        flags: [...FLAGS, "--node-arg=--max-old-space-size=40"],
      });
      await service.untilReady();
      const old = await pidOf(service, 0);
      await bring(service);
      await until("it is counted", async () => (await counts(service))[outcome] === 1, LONG_MS);
      assert.deepEqual(await counts(service), { ...NONE, [outcome]: 1 });
      const line = service.log().find((each) => each.outcome !== undefined);
      assert.deepEqual([line?.outcome, line?.signal, line?.pid], [outcome, signal, old]);
      assert.match(line?.msg ?? "", words);
      const [slot] = (await service.status()).workers;
      assert.deepEqual([slot?.lastExit?.outcome, slot?.lastExit?.signal, slot?.lastExit?.pid], [outcome, signal, old]);
      await until("another one serves", async () => (await pidOf(service, 0)) !== old, LONG_MS);
      const restarts = outcome === "clean" ? 0 : 1;
      assert.equal(await service.metric('rollcall_process_restarts_total{role="worker"}'), restarts);
    });
  }

  test("is not known when it has just become ready, but its memory and its heap are: the first heartbeat comes with readiness", async (t) => {
    const service = await startService(t, { app: "how-it-ends.mjs", workers: 2, flags: FLAGS });
    await service.untilReady();
    for (const { lastExit, processes } of (await service.status()).workers) {
      assert.equal(lastExit, null);
      const [process] = processes;
      assert.ok((process?.residentBytes ?? 0) > 10 * 2 ** 20);
      assert.ok((process?.heapUsedBytes ?? 0) > 2 ** 20 && (process?.heapLimitBytes ?? 0) > (process?.heapUsedBytes ?? 0));
    }
    for (const slot of [0, 1]) {
      assert.ok((await service.metric(`rollcall_heap_used_bytes{role="worker",slot="${slot}"}`)) > 2 ** 20);
      assert.ok((await service.metric(`rollcall_heap_limit_bytes{role="worker",slot="${slot}"}`)) > 2 ** 20);
    }
  });
});
