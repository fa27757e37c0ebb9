// Below systemd, played by the test: notifications, the watchdog, and sockets that are handed over.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ask } from "../helpers/load.ts";
import { assertOneLine } from "../helpers/mistakes.ts";
import { WITHOUT_KOFFI } from "../helpers/namespaces.ts";
import { freePort } from "../helpers/ports.ts";
import { startService } from "../helpers/service.ts";
import { ACTIVATED, noServiceManager, openListeningSocket, openNotifySocket } from "../helpers/service-manager.ts";
import { until } from "../helpers/until.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "rc-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const QUICK = ["--drain-idle", "100ms"];
const HANDED = /^(NOTIFY_SOCKET|WATCHDOG_|LISTEN_(FDS|PID|FDNAMES))/;

describe("a service manager", { concurrency: 2, skip: noServiceManager }, () => {
  test("hears READY, RELOADING with the clock and READY again, STOPPING, a status, and that the watchdog is fed", async (t) => {
    const path = join(folder(t), "notify");
    const manager = openNotifySocket(t, path);
    const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "400000" };
    const service = await startService(t, { app: "environment.mjs", workers: 2, env, flags: QUICK });
    await until("it is ready", () => manager.has(/^READY=1$/));
    await until("the status says so", () => manager.has(/^STATUS=running: 2 of 2 workers ready, generation 1$/));
    assert.equal(await service.probe("ready"), 200);
    const { names } = JSON.parse((await ask(service.url("/"))).body) as { names: readonly string[] };
    assert.deepEqual(
      names.filter((name) => HANDED.test(name)),
      [],
      "a child is told nothing of it",
    );
    const fed = (): number => manager.received.filter((text) => text === "WATCHDOG=1").length;
    await until("the watchdog is fed", () => fed() >= 3);

    const before = process.hrtime.bigint() / 1_000n;
    service.signal("SIGHUP");
    await until("it reloads", () => manager.has(/^RELOADING=1$/));
    const reloading = manager.received.findIndex((text) => text.startsWith("RELOADING=1\nMONOTONIC_USEC="));
    const moment = BigInt(/MONOTONIC_USEC=(\d+)/.exec(manager.received[reloading] ?? "")?.[1] ?? 0);
    assert.ok(before <= moment && moment <= process.hrtime.bigint() / 1_000n, `${moment} is not after ${before}`);
    await until("the reload is over", () => manager.received.slice(reloading).some((text) => text.startsWith("READY=1")));
    await until("the status says so", () => manager.has(/^STATUS=running: 2 of 2 workers ready, generation 2$/));

    service.signal("SIGTERM");
    assert.equal((await service.exited()).code, 0);
    await until("it is told to stop", () => manager.has(/^STOPPING=1$/));
    const told = manager.received.flatMap((text) => text.split("\n")).filter((line) => /^(READY|RELOADING|STOPPING)=/.test(line));
    assert.deepEqual(told, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
  });

  test("hears it at an abstract address too", async (t) => {
    const name = `@rollcall/test/${process.pid}/${process.hrtime.bigint()}`;
    const manager = openNotifySocket(t, name);
    await startService(t, { app: "environment.mjs", workers: 1, env: { NOTIFY_SOCKET: name } });
    await until("it is ready", () => manager.has(/^READY=1$/));
  });

  test("that cannot be reached, or where koffi is missing, costs one warning", async (t) => {
    for (const [env, why] of [
      [{ NOTIFY_SOCKET: "/nonexistent/notify" }, /^Cannot notify the service manager at NOTIFY_SOCKET: errno 2 \(said once\)$/],
      [
        { NOTIFY_SOCKET: "@nobody", ...WITHOUT_KOFFI },
        /: the optional dependency koffi is not installed; a unit with Type=notify needs it/,
      ],
    ] as const) {
      const service = await startService(t, { app: "environment.mjs", workers: 1, env, flags: QUICK });
      await service.untilReady();
      await until("it warns", () => service.hasLogged(why));
      service.signal("SIGHUP");
      await until("it reloads", async () => (await service.status()).generation === 2 && !(await service.status()).reloading);
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0);
      assertOneLine(
        service.log().map(({ msg }) => msg),
        /^Cannot notify/,
      );
    }
  });

  test("hands a listening socket over: all workers serve it, and what waits in it between two services is served by the second", async (t) => {
    const port = await freePort();
    const fd = openListeningSocket(t, port);
    const start = () =>
      startService(t, {
        ...{ app: "environment.mjs", workers: 2, declared: false, wrapper: ACTIVATED, descriptors: [fd], flags: QUICK },
        env: { LISTEN_FDS: "1", LISTEN_FDNAMES: "http" },
      });
    const url = `http://127.0.0.1:${port}/`;
    const first = await start();
    await first.untilReady();
    const slots = new Set<string>();
    await until("both workers have answered", async () => {
      const { slot, names } = JSON.parse((await ask(url)).body) as { slot: string; names: readonly string[] };
      assert.deepEqual(
        names.filter((name) => HANDED.test(name)),
        [],
      );
      return slots.add(slot).size === 2;
    });
    first.signal("SIGHUP");
    await until("it reloads", async () => (await first.status()).generation === 2 && !(await first.status()).reloading);
    assert.equal((await ask(url)).status, 200);
    first.signal("SIGTERM");
    assert.equal((await first.exited()).code, 0, first.output());

    const waiting = ask(url);
    const second = await start();
    assert.equal((await waiting).status, 200);
    await second.untilReady();
    second.signal("SIGTERM");
    assert.equal((await second.exited()).code, 0);
  });

  test("means somebody else by another LISTEN_PID; what is no listening TCP socket is named and left alone", async (t) => {
    const other = await startService(t, { app: "environment.mjs", workers: 1, env: { LISTEN_FDS: "1", LISTEN_PID: "1" } });
    await other.untilReady();
    assert.equal((await ask(other.url("/"))).status, 200);
    assert.ok(!other.hasLogged(/LISTEN_FDS/));

    const server = net.createServer((socket) => socket.resume()).listen(await freePort(), "127.0.0.1");
    t.after(() => void server.close());
    await until("it listens", () => server.listening);
    const client = net.connect((server.address() as net.AddressInfo).port, "127.0.0.1");
    t.after(() => client.destroy());
    await until("it is connected", () => !client.connecting);
    const { fd } = (client as unknown as { _handle: { fd: number } })._handle;
    const odd = await startService(t, {
      ...{ app: "environment.mjs", workers: 1, wrapper: ACTIVATED, descriptors: [fd], env: { LISTEN_FDS: "2" } },
    });
    await odd.untilReady();
    assert.ok(odd.hasLogged(/^LISTEN_FDS: descriptor 3 is a connection and no listening socket/), odd.output());
    assert.ok(odd.hasLogged(/^LISTEN_FDS: descriptor 4 is no socket; it is left alone/), odd.output());
  });

  test("cannot hand two sockets over for one port, nor any to round-robin: exit 2 and why", async (t) => {
    const fd = openListeningSocket(t, await freePort());
    for (const [descriptors, flags, why] of [
      [[fd, fd], [], /descriptor 4 is a second socket on port \d+; expected one for each port/],
      [[fd], ["--listen", "round-robin"], /LISTEN_FDS: the sockets cannot be used: with --listen round-robin the master/],
    ] as const) {
      const env = { LISTEN_FDS: String(descriptors.length) };
      const service = await startService(t, {
        ...{ app: "environment.mjs", workers: 1, declared: false, wrapper: ACTIVATED, descriptors, flags, env },
      });
      assert.equal((await service.exited()).code, 2, service.output());
      assert.match(service.output(), why);
    }
  });
});
