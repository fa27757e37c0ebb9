// What apps and clients leave in the way of a drain: answers that nobody waits for, a server that was opened again, thousands of mute WebSockets.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ask, connect } from "../helpers/load.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const APP = "drain-leftovers.mjs";
const IN_FLIGHT = 'rollcall_requests_in_flight{slot="0"}';
const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const UPGRADE = (protocol: string): string => `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
const MUTE = 2_000;

describe("a drain", { concurrency: 3 }, () => {
  for (const [what, last] of [
    ["", ""],
    [", an upgrade behind them", UPGRADE("anything")],
  ] as const)
    test(`waits for no answers whose client has reset the connection that they were pipelined on${what}`, async (t) => {
      const service = await startService(t, { app: APP, workers: 1, flags: ["--stop-timeout", "60s", "--drain-idle", "100ms"] });
      await service.untilReady();
      const client = await connect(service.appPort);
      client.socket.write(GET("/slow?ms=2000") + GET("/second") + GET("/third") + last);
      await until("the last has begun", () => service.output().includes("begun /third"));
      client.socket.resetAndDestroy();
      await until("nothing is in flight", async () => (await service.metric(IN_FLIGHT)) === 0);
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0);
      assert.equal(service.hasLogged(/ cut/), false, service.output());
    });

  for (const declared of [true, false])
    test(`closes a server that was closed and opened again in one turn, ${declared ? "" : "un"}declared`, async (t) => {
      const flags = ["--stop-timeout", "60s", "--drain-idle", "100ms"];
      const service = await startService(t, { app: APP, workers: 1, declared, flags, env: { AGAIN: "1" } });
      await service.untilReady();
      const [old] = await service.workerPids();
      const slow = ask(service.url("/slow?ms=6000"));
      await until("it is in flight", () => service.output().includes("begun /slow"));
      service.signal("SIGHUP");
      await until("the old worker accepts no more", async () =>
        (await service.status()).workers[0]?.processes.some(({ state }) => state === "ready"),
      );
      await until("the old one drains", () => service.output().includes("draining"));
      for (let times = 0; times < 20; times++) assert.notEqual((await ask(service.url("/"))).body, String(old));
      assert.equal((await slow).body, String(old));
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0);
    });

  test(`ends ${MUTE} WebSockets whose clients are mute, in a heap that has room for them once`, async (t) => {
    const flags = ["--stop-timeout", "60s", "--drain-idle", "100ms", "--node-arg=--max-old-space-size=96"];
    const service = await startService(t, { app: APP, workers: 1, flags });
    await service.untilReady();
    let upgraded = 0;
    for (let opened = 0; opened < MUTE; opened++) {
      const socket = net.connect(service.appPort, "127.0.0.1");
      socket.on("error", () => {}).once("data", () => upgraded++);
      socket.write(UPGRADE("websocket"));
      t.after(() => socket.destroy());
    }
    await until("all are upgraded", () => upgraded === MUTE);
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0);
    assert.match(service.output(), /^address /m);
    assert.equal(service.hasLogged(/ cut| exited/), false, service.output());
  });

  test("leaves the path of a unix socket to the app's own clean-up", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "rc-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, "app.sock");
    const service = await startService(t, { app: APP, workers: 1, declared: false, env: { SOCKET_PATH: path } });
    await service.untilReady();
    assert.ok(existsSync(path));
    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0);
    assert.ok(service.output().includes(`address ${JSON.stringify(path)}`), service.output());
  });
});
