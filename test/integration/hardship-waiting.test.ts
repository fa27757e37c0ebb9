// A crowd that waits in the master for a worker that does not come, where descriptors are few: probes, scrapes and forks have theirs all the same, who comes
// beyond is closed and counted, and whoever has left takes nobody's place.
import assert from "node:assert/strict";
import net, { type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../helpers/load.ts";
import { kill } from "../helpers/processes.ts";
import { type Service, startService } from "../helpers/service.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

const MOST_DESCRIPTORS = 256;
/** Beyond what a listen queue and the descriptors hold. */
const CROWD = 1_000;
const AT_ONCE = 100;

async function start(t: TestContext, flags: readonly string[]): Promise<{ readonly service: Service; readonly worker: number }> {
  const wrapper = ["bash", "-c", `ulimit -n ${MOST_DESCRIPTORS}; exec "$@"`, "--"];
  const service = await startService(t, { app: "http.mjs", workers: 1, wrapper, flags: ["--heartbeat-timeout", "2m", ...flags] });
  await service.untilReady();
  const [worker = 0] = await service.workerPids();
  t.after(() => kill(worker, "SIGCONT"));
  return { service, worker };
}

/** Clients that connect, and stay until they are closed. */
async function crowd(t: TestContext, service: Service, count: number): Promise<readonly Socket[]> {
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const come = async (): Promise<void> => {
    while (sockets.length < count) {
      const socket = net.connect(service.appPort, "127.0.0.1").on("error", () => {});
      sockets.push(socket);
      socket.resume();
      await new Promise<void>((resolve) => socket.once("connect", resolve).once("close", () => resolve()));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, come));
  return sockets;
}

const dropped = (service: Service, reason: string): Promise<number> =>
  service.metric(`rollcall_connections_dropped_total{reason="${reason}"}`);

async function isAnswered(service: Service): Promise<void> {
  for (const name of ["live", "ready"] as const) assert.equal(await service.probe(name), 200, name);
  const open = await service.metric("process_open_fds");
  assert.ok(open < MOST_DESCRIPTORS * 0.6, `the master has ${open} files open`);
}

describe("a crowd in the master", { skip: process.platform !== "linux" && "elsewhere the master does not accept" }, () => {
  for (const listen of ["round-robin", "sticky"]) {
    test(`${listen}: leaves descriptors to probes, scrapes and a fork`, async (t) => {
      const { service, worker } = await start(t, ["--listen", listen]);
      kill(worker, "SIGSTOP");
      const answers = Array.from({ length: CROWD }, () =>
        ask(service.url("/"), false, { timeout: DEADLINE_MS * 2 }).then(
          ({ status }) => status,
          () => 0,
        ),
      );
      await until("it is full", () => service.hasLogged(/^\d+ connections wait for a worker on port \d+: .*raise nofile/));
      await isAnswered(service);
      kill(worker, "SIGKILL");
      const served = (await Promise.all(answers)).filter((status) => status === 200).length;
      t.diagnostic(`${served} of ${CROWD} were served`);
      assert.ok(served > 20 && served < MOST_DESCRIPTORS / 2, `${served} were served`);
      assert.equal(await dropped(service, "full"), CROWD - served);
      assert.notEqual((await service.workerPids())[0], worker);
      assert.equal((await ask(service.url("/"))).status, 200);
      assert.equal(service.hasLogged(/unexpected error|EMFILE/), false);
    });

    test(`${listen}: a crowd that has left is no hindrance`, async (t) => {
      const { service, worker } = await start(t, ["--listen", listen]);
      kill(worker, "SIGSTOP");
      const clients = await crowd(t, service, CROWD);
      await until("it is full", async () => (await dropped(service, "full")) > 0);
      for (const [index, client] of clients.entries())
        if (index % 2 === 0) client.resetAndDestroy();
        else client.end();
      // The one that is on its way to the worker is left alone.
      await until("there is room", async () => (await dropped(service, "gone")) > 20);
      const full = await dropped(service, "full");
      const answers = Array.from({ length: 20 }, () => ask(service.url("/")));
      await isAnswered(service);
      kill(worker, "SIGCONT");
      assert.deepEqual(new Set((await Promise.all(answers)).map(({ status }) => status)), new Set([200]));
      assert.equal(await dropped(service, "full"), full);
    });
  }

  test("sticky-trust: those that say nothing go before those that ask", async (t) => {
    const { service } = await start(t, ["--listen", "sticky", "--sticky-trust", "1"]);
    await crowd(t, service, CROWD);
    await until("some had to go", async () => (await dropped(service, "full")) > 0);
    await isAnswered(service);
    for (let asked = 0; asked < 10; asked++) assert.equal((await ask(service.url("/"))).status, 200);
  });
});
