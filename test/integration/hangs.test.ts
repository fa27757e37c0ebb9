// Hung children, for real: an endless loop, native code, a program that is waited for, a process that was stopped. They are replaced in time, the log
// says what they hung on, and clients and readiness see nothing of it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSeconds } from "../../src/system/procfs.ts";
import { pidOf, replaced, steer } from "../fixtures/apps/roll-steering.ts";
import { ask } from "../helpers/load.ts";
import { childrenOf, isAlive, kill } from "../helpers/processes.ts";
import { watchReadiness } from "../helpers/readiness.ts";
import { type LogLine, type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

/** A master that has no time for as long as three eighths of it is taken for suspended: its own lateness stays under the two seconds of the promise. */
const TIMEOUT_MS = 4_000;
const FLAGS = ["--heartbeat-timeout", `${TIMEOUT_MS}ms`, "--roll-call-period", "10m", "--stop-timeout", "4s", "--backoff-delay", "50ms"];
/** A hang, its discovery, a look at it, and a new process, on a machine that has no time. */
const LONG_MS = 60_000;

describe("a hung worker", { concurrency: 2 }, () => {
  test("in an endless loop is replaced in time; who waits in its queue is served, and readiness stays true", async (t) => {
    const service = await startService(t, { app: "how-it-ends.mjs", workers: 2, flags: FLAGS });
    await service.untilReady();
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

/** Suspected after seven seconds, and not killed before the test is over. */
const PATIENT = ["--heartbeat-timeout", "14s"];

describe("a hung child of another kind", { concurrency: 2 }, () => {
  test("an agent is replaced, and the workers live on", async (t) => {
    const steering = steer(t);
    const service = await startService(t, {
      app: "roll-steered.mjs",
      agent: "roll-steered.mjs",
      workers: 1,
      env: steering.env,
      flags: FLAGS,
    });
    await service.untilReady();
    const [agent, worker] = [await pidOf(service, "agent"), await pidOf(service, 0)];
    steering.on("block", "agent");
    await until("it is found", () => found(service, /^agent has not answered .*killing and replacing it/), LONG_MS);
    await until("it is gone", () => !isAlive(agent), LONG_MS);
    steering.off("block", "agent");
    await until("another one is ready", async () => (await pidOf(service, "agent")) !== agent, LONG_MS);
    assert.equal(await pidOf(service, 0), worker);
    assert.equal(await service.metric('rollcall_process_exits_total{role="agent",outcome="unresponsive"}'), 1);
  });

  test("one that hangs in its boot ends the start by boot-timeout, and the log says on what", async (t) => {
    const flags = [...FLAGS, "--boot-timeout", "2s"];
    const service = await startService(t, { app: "how-it-ends.mjs", workers: 1, env: { LOOP_AT_BOOT: "1" }, flags });
    assert.equal((await service.exited(LONG_MS)).code, 3, service.output());
    assert.ok(found(service, /was not ready within 2000 ms \(boot-timeout\)/));
    assert.ok(found(service, /^worker 0 hung in (endlessLoop|native code)/), service.output());
  });

  test("one whose event loop is idle is told from one that computes", async (t) => {
    const flags = [...FLAGS, "--boot-timeout", "3s"];
    const service = await startService(t, { app: "bad-never-listens.mjs", workers: 1, flags });
    assert.equal((await service.exited(LONG_MS)).code, 3, service.output());
    assert.ok(found(service, /^worker 0 (waited for something asynchronous: its event loop is idle|hung)/), service.output());
  });
});

describe("a master that was suspended", { concurrency: 2 }, () => {
  for (const stoppedMs of [2_500, 10_000]) {
    test(`for ${stoppedMs} ms kills nobody, with a heartbeat-timeout of 2 s`, async (t) => {
      const steering = steer(t);
      const flags = ["--heartbeat-timeout", "2s", "--roll-call-period", "500ms"];
      const service = await startService(t, { app: "roll-steered.mjs", workers: 2, agent: "roll-steered.mjs", env: steering.env, flags });
      await service.untilReady();
      const before = childrenOf(service.pid);
      service.signal("SIGSTOP");
      await sleep(stoppedMs);
      service.signal("SIGCONT");
      const taken = async () => await service.metric('rollcall_roll_calls_total{result="success"}');
      const enough = (await taken()) + 6;
      await until("six roll calls went well", async () => (await taken()) >= enough);
      assert.deepEqual(childrenOf(service.pid), before);
      assert.equal(await service.metric('rollcall_process_starts_total{role="worker",reason="unresponsive"}'), 0);
    });
  }

  test("again and again still replaces a child that really hangs: each pause is given back, and no more", async (t) => {
    const steering = steer(t);
    const flags = ["--heartbeat-timeout", "2s", "--roll-call-period", "10m"];
    const service = await startService(t, { app: "roll-steered.mjs", workers: 1, env: steering.env, flags });
    await service.untilReady();
    const hung = await pidOf(service, 0);
    steering.on("block", 0);
    await until("it hangs", () => service.hasLogged(/^worker 0 has not answered/), LONG_MS);
    const isFound = () => service.hasLogged(/^worker 0 .*killing and replacing it/);
    // Stopped for most of the time: the master never sees two seconds in one piece.
    await until(
      "it is found",
      async () => {
        if (isFound()) return true;
        service.signal("SIGSTOP");
        await until("the master stands", () => stateOf(service.pid) === "T");
        await sleep(1_000);
        service.signal("SIGCONT");
        await sleep(250);
        return isFound();
      },
      LONG_MS,
    );
    assert.ok(service.hasLogged(/the master stood still for/));
    steering.off("block", 0);
    await until("it is replaced", async () => (await pidOf(service, 0)) !== hung, LONG_MS);
  });
});

/** Makes one worker hang, by a request whose answer has begun; its pid. */
async function hang(t: TestContext, service: Service, way: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get(service.url(way), { agent: false }, (response) => {
      response.setEncoding("utf8").once("data", (pid: string) => resolve(Number(pid)));
      response.on("error", () => {});
    });
    request.on("error", reject);
    t.after(() => request.destroy());
  });
}

function found(service: Service, pattern: RegExp): LogLine | undefined {
  return service.log().find(({ msg }) => pattern.test(msg));
}

function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat[stat.lastIndexOf(")") + 2];
}
