// Hung workers, for real: an endless loop, native code, a program that is waited for, a process that was stopped. They are replaced in time, the log
// says what they hung on, and clients and readiness see nothing of it.
import assert from "node:assert/strict";
import net from "node:net";
import { describe, test } from "node:test";
import { cpuSeconds } from "../../src/system/procfs.ts";
import { pidOf, replaced, steer } from "../fixtures/apps/roll-steering.ts";
import { HANG_FLAGS as FLAGS, found, hang, LONG_MS, TIMEOUT_MS } from "../helpers/hangs.ts";
import { ask } from "../helpers/load.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import { watchReadiness } from "../helpers/readiness.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** Suspected after seven seconds, and not killed before the test is over. */
const PATIENT = ["--heartbeat-timeout", "14s"];

describe("a hung worker", { concurrency: 3 }, () => {
  test("in an endless loop is replaced in time; who waits in its queue is served, and readiness stays true", async (t) => {
    const service = await startService(t, { app: "how-it-ends.mjs", workers: 2, flags: FLAGS });
    await service.untilReady();
    // The inspector is looked for among all that listen on loopback.
    const crowd = Array.from({ length: 150 }, () => net.createServer().listen(0, "127.0.0.1"));
    t.after(() => crowd.forEach((each) => void each.close()));
    const readiness = watchReadiness(t, service);
    const hung = await hang(t, service, "/loop");
    const before = cpuSeconds(hung) ?? 0;
    await until("it computes and does nothing else", () => !isAlive(hung) || (cpuSeconds(hung) ?? 0) > before + 0.1);
    // Each on a connection of its own: half of them come to the queue of the hung worker.
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(service.url("/"))));
    assert.ok(answers.every(({ status, body }) => status === 200 && body !== String(hung)));
    const line = await until("it is to be replaced", () => found(service, /killing and replacing it/), LONG_MS);
    const silentMs = line.silentMs as number;
    assert.ok(silentMs >= TIMEOUT_MS && silentMs < TIMEOUT_MS + 2_000, `it was silent for ${silentMs} ms`);
    await until("it is replaced", async () => (await service.workerPids()).filter((pid) => pid !== hung).length === 2, LONG_MS);
    await until("it is gone", () => !isAlive(hung), LONG_MS);
    assert.deepEqual(await readiness.stop(), []);
    assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="unresponsive"}'), 1);
    await until(
      "its end is counted",
      async () => (await service.metric('rollcall_process_exits_total{role="worker",outcome="unresponsive"}')) === 1,
    );
    const { lastExit } = (await service.status()).workers.find(({ slot }) => slot === line.slot) ?? {};
    assert.deepEqual([lastExit?.outcome, lastExit?.pid, lastExit?.signal], ["unresponsive", hung, "SIGKILL"]);
    // Where the machine has no time for the inspector, that it computes is all there is to say.
    const said = await until("the log says where", () => found(service, /^worker \d hung in/), LONG_MS);
    assert.match(said.msg, /endlessLoop \(file:.*how-it-ends\.mjs:\d+:\d+\)|native code/);
  });

  test("in native code is killed all the same", async (t) => {
    const service = await startService(t, { app: "how-it-ends.mjs", workers: 1, flags: FLAGS });
    await service.untilReady();
    const hung = await hang(t, service, "/native");
    await until("the log says so", () => found(service, /hung in native code/), LONG_MS);
    await until("it is gone", () => !isAlive(hung), LONG_MS);
    await replaced(service, 0, hung);
  });

  test("that waits for a program is named with it, and takes it along", async (t) => {
    const service = await startService(t, { app: "how-it-ends.mjs", workers: 1, flags: FLAGS });
    await service.untilReady();
    const hung = await hang(t, service, "/program");
    const program = await until("the program runs", () => childrenOf(hung)[0]);
    await until("the log names it", () => found(service, /waited for a program that it runs: .*sleep/), LONG_MS);
    await until("both are gone", () => !isAlive(hung) && !isAlive(program), LONG_MS);
    await replaced(service, 0, hung);
  });

  test("that was stopped by a signal is replaced, and its state named", async (t) => {
    const service = await startService(t, { app: "how-it-ends.mjs", workers: 1, flags: FLAGS });
    await service.untilReady();
    const stopped = await pidOf(service, 0);
    kill(stopped, "SIGSTOP");
    await until("the log says so", () => found(service, /did not answer because it is stopped/), LONG_MS);
    await until("it is gone", () => !isAlive(stopped), LONG_MS);
    await replaced(service, 0, stopped);
  });

  test("is left alone when it answers again in time, and its inspector stays shut", async (t) => {
    const steering = steer(t);
    const service = await startService(t, { app: "roll-steered.mjs", workers: 2, env: steering.env, flags: [...FLAGS, ...PATIENT] });
    await service.untilReady();
    const busy = await pidOf(service, 1);
    steering.on("block", 1);
    await until("its silence is reported", () => service.hasLogged(/^worker 1 has not answered/), LONG_MS);
    steering.off("block", 1);
    await until("it answers again", () => service.hasLogged(/^worker 1 answers again/), LONG_MS);
    assert.equal(await pidOf(service, 1), busy);
    assert.ok(!service.output().includes("Debugger listening"));
    assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="unresponsive"}'), 0);
  });
});
