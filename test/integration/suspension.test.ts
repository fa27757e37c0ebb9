// A master that stood still: who could not be heard is not killed for it, and who hangs is found all the same.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pidOf, steer } from "../fixtures/apps/roll-steering.ts";
import { LONG_MS } from "../helpers/hangs.ts";
import { connectionsOf } from "../helpers/listeners.ts";
import { childrenOf } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

describe("a master that was suspended", { concurrency: 3 }, () => {
  for (const stoppedMs of [2_500, 10_000]) {
    test(`for ${stoppedMs} ms kills nobody, with a heartbeat-timeout of 2 s, and answers who has asked meanwhile`, async (t) => {
      const steering = steer(t);
      const flags = ["--heartbeat-timeout", "2s", "--roll-call-period", "500ms"];
      const service = await startService(t, { app: "roll-steered.mjs", workers: 2, agent: "roll-steered.mjs", env: steering.env, flags });
      await service.untilReady();
      const before = childrenOf(service.pid);
      const guests = [await openGuest(service, service.probesPort, "/live"), await openGuest(service, service.metricsPort, "/metrics")];
      service.signal("SIGSTOP");
      const answers = guests.map((ask) => ask());
      await sleep(stoppedMs);
      service.signal("SIGCONT");
      for (const answer of await Promise.all(answers)) assert.match(answer, /^HTTP\/1\.1 200 /);
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
    const isFound = () => service.hasLogged(/^worker 0 .*killing and replacing it/);
    const pause = async (meanwhile = (): void => {}): Promise<void> => {
      service.signal("SIGSTOP");
      await until("the master stands", () => stateOf(service.pid) === "T");
      meanwhile();
      await sleep(1_000);
      service.signal("SIGCONT");
      await sleep(250);
    };
    // It hangs in a pause at first: however slow this machine is, it is not found before one.
    await pause(() => steering.on("block", 0));
    // Stopped for most of the time: the master never sees two seconds in one piece.
    await until(
      "it is found",
      async () => {
        if (!isFound()) await pause();
        return isFound();
      },
      LONG_MS,
    );
    assert.ok(service.hasLogged(/the master stood still for/));
    steering.off("block", 0);
    await until("it is replaced", async () => (await pidOf(service, 0)) !== hung, LONG_MS);
  });
});

/** Connects, waits until the master has the connection, and asks on it when told to. */
async function openGuest(service: Service, port: number, path: string): Promise<() => Promise<string>> {
  const socket = connect(port, "127.0.0.1");
  await until("it is accepted", () => connectionsOf(service.pid, port) === 1);
  return async () => {
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    const [first] = (await once(socket, "data", { signal: AbortSignal.timeout(LONG_MS) })) as [Buffer];
    socket.destroy();
    return String(first);
  };
}

function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat[stat.lastIndexOf(")") + 2];
}
