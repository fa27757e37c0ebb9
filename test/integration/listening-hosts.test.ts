// Where the app listens is where it asked to listen: hosts, several ports and servers, and everything that keeps Node's own semantics.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fdsOf, listenersOf } from "../helpers/listeners.ts";
import { ask } from "../helpers/load.ts";
import { freePort } from "../helpers/ports.ts";
import { kill } from "../helpers/processes.ts";
import { FIXTURES, type Service } from "../helpers/service.ts";
import { startListening, untilAllAnswer, untilWhole } from "../helpers/strategies.ts";
import { until } from "../helpers/until.ts";

interface Place {
  readonly host: string | undefined;
  /** Whether 127.0.0.1 and ::1 are served, with the port declared and not; undefined: as the name resolves. */
  readonly declared: readonly [boolean, boolean] | undefined;
  readonly undeclared: readonly [boolean, boolean] | undefined;
}

const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));
const PLACES: readonly Place[] = [
  { host: undefined, declared: [true, true], undeclared: [true, true] },
  { host: "::", declared: [true, true], undeclared: [true, true] },
  { host: "0.0.0.0", declared: [true, false], undeclared: [true, false] },
  { host: "127.0.0.1", declared: [true, false], undeclared: [true, false] },
  { host: "::1", declared: [false, true], undeclared: [false, true] },
  { host: "localhost", declared: undefined, undeclared: undefined },
];

const answers = (host: string, port: number): Promise<boolean> =>
  ask(`http://${net.isIPv6(host) ? `[${host}]` : host}:${port}/`).then(
    ({ status }) => status === 200,
    () => false,
  );

const listens = (...options: readonly object[]): { readonly env: { readonly LISTEN: string } } => ({
  env: { LISTEN: JSON.stringify(options) },
});

async function reload(service: Service): Promise<void> {
  const { generation, workersTarget } = await service.status();
  service.signal("SIGHUP");
  await untilWhole(service, generation + 1, workersTarget);
}

describe("an app that listens on", { concurrency: 2 }, () => {
  for (const { host, ...served } of PLACES) {
    for (const declared of [true, false]) {
      const skip = !HAS_IPV6 && host?.includes(":") === true && "needs IPv6";
      test(`${host ?? "no host"}, ${declared ? "declared" : "undeclared"}: serves there and nowhere else, before and after a reload`, {
        skip,
      }, async (t) => {
        const service = await startListening(t, { listen: "paired", declared }, { workers: 2, ...listens({ host }) });
        await service.untilReady();
        for (let generations = 0; generations < 2; generations++) {
          if (generations > 0) await reload(service);
          const found = [await answers("127.0.0.1", service.appPort), await answers("::1", service.appPort)];
          const expected = declared ? served.declared : served.undeclared;
          if (expected === undefined) assert.ok(await answers("localhost", service.appPort));
          else assert.deepEqual(found, HAS_IPV6 ? expected : [expected[0], false]);
        }
      });
    }
  }

  test("no host, where --host names one: listens on that one only", async (t) => {
    const service = await startListening(t, { listen: "paired", declared: true }, { workers: 2, flags: ["--host", "127.0.0.1"] });
    await service.untilReady();
    await untilAllAnswer(service, 2);
    assert.deepEqual([...new Set(listenersOf(service.appPort).map(({ family, address }) => `${family} ${address}`))], ["4 0100007F"]);
  });

  for (const declared of [true, false]) {
    test(`two ports, ${declared ? "declared" : "undeclared"}: serves both, after a reload too`, async (t) => {
      const second = await freePort();
      const flags = declared ? ["--port", String(second)] : [];
      const service = await startListening(t, { listen: "paired", declared }, { workers: 2, flags, ...listens({}, { port: second }) });
      await service.untilReady();
      for (let generations = 0; generations < 2; generations++) {
        if (generations > 0) await reload(service);
        assert.deepEqual([await answers("127.0.0.1", service.appPort), await answers("127.0.0.1", second)], [true, true]);
      }
    });
  }

  test("one port on two addresses: serves both, after a reload too", { skip: !HAS_IPV6 && "needs IPv6" }, async (t) => {
    const options = listens({ host: "127.0.0.1" }, { host: "::1" });
    const service = await startListening(t, { listen: "paired", declared: false }, { workers: 2, ...options });
    await service.untilReady();
    for (let generations = 0; generations < 2; generations++) {
      if (generations > 0) await reload(service);
      assert.deepEqual([await answers("127.0.0.1", service.appPort), await answers("::1", service.appPort)], [true, true]);
    }
  });

  test("port 0: all workers share one port that the system chose", async (t) => {
    const service = await startListening(t, { listen: "paired", declared: false }, { workers: 2, ...listens({ port: 0 }) });
    await service.untilReady();
    const { addresses } = await service.status();
    assert.equal(addresses.length, 1, addresses.join(", "));
    const port = Number(/:(\d+)$/.exec(addresses[0] as string)?.[1]);
    assert.ok(await answers("127.0.0.1", port), `${addresses[0]}`);
  });

  test("an exclusive port: listens by itself", async (t) => {
    const service = await startListening(t, { listen: "paired", declared: false }, { workers: 1, ...listens({ exclusive: true }) });
    await service.untilReady();
    assert.ok(await answers("127.0.0.1", service.appPort));
  });

  test("IPv6 only: serves there and not on IPv4", { skip: !HAS_IPV6 && "needs IPv6" }, async (t) => {
    const options = listens({ host: "::", ipv6Only: true });
    const service = await startListening(t, { listen: "paired", declared: false }, { workers: 2, ...options });
    await service.untilReady();
    for (let generations = 0; generations < 2; generations++) {
      if (generations > 0) await reload(service);
      assert.deepEqual([await answers("127.0.0.1", service.appPort), await answers("::1", service.appPort)], [false, true]);
    }
  });

  test("another address of this machine than that of --host: serves on both, each where it was asked for", async (t) => {
    const options = listens({}, { host: "127.0.0.2" });
    const flags = ["--host", "127.0.0.1"];
    const service = await startListening(t, { listen: "paired", declared: true }, { workers: 2, flags, ...options });
    await service.untilReady();
    for (let generations = 0; generations < 2; generations++) {
      if (generations > 0) await reload(service);
      const found = [await answers("127.0.0.1", service.appPort), await answers("127.0.0.2", service.appPort)];
      assert.deepEqual(found, [true, true]);
    }
  });

  test("a unix socket: serves there, from all workers, after a reload too", async (t) => {
    const path = join(tmpdir(), `rollcall-test-${process.pid}-${await freePort()}.sock`);
    t.after(() => rm(path, { force: true }));
    const service = await startListening(t, { listen: "paired", declared: false }, { workers: 2, ...listens({ path }) });
    await service.untilReady();
    for (let generations = 0; generations < 2; generations++) {
      if (generations > 0) await reload(service);
      assert.equal(await statusOver(path), 200);
    }
  });

  test("a descriptor that the service inherited: serves on it", async (t) => {
    const port = await freePort();
    const wrapper = [process.execPath, `${FIXTURES}listen-fd.mjs`];
    const env = { FD_PORT: String(port), LISTEN: '[{"fd":3}]' };
    const service = await startListening(t, { listen: "paired", declared: false }, { workers: 2, wrapper, env, app: "listen-given.mjs" });
    await service.untilReady();
    assert.ok(await answers("127.0.0.1", port));
  });

  test("a descriptor of the master's own: is refused, and the master keeps it", async (t) => {
    const service = await startListening(t, { listen: "paired", declared: true }, { workers: 1, app: "listen-any-fd.mjs" });
    await service.untilReady();
    const own = fdsOf(service.pid).filter(({ target }) => target.startsWith("socket:"));
    for (const { fd } of own) assert.match(await (await fetch(service.url(`/${fd}`))).text(), /^E(INVAL|EXIST)$/, `descriptor ${fd}`);
    assert.ok(service.hasLogged(/^worker 0: listens on descriptor \d+; expected one of a socket that the service was started with/));
    const [pid] = await service.workerPids();
    kill(pid as number);
    await until("it has a successor", async () => {
      const [successor] = await service.workerPids();
      return successor !== undefined && successor !== pid;
    });
    assert.equal(await (await fetch(service.url("/0"))).text(), "EINVAL");
  });

  test("UDP: gets its datagrams", async (t) => {
    const port = await freePort();
    const env = { KINDS: JSON.stringify({ http: await freePort(), udp: port }) };
    const service = await startListening(t, { listen: "paired", declared: false }, { workers: 2, app: "listen-kinds.mjs", env });
    await service.untilReady();
    const client = dgram.createSocket("udp4");
    t.after(() => client.close());
    const answer = once(client, "message");
    await until("a datagram comes back", async () => {
      client.send("hello", port, "127.0.0.1");
      return Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 100))]);
    });
  });

  const canUnshare = canRun("unshare", ["-n", "ip", "link", "set", "lo", "up"]);
  test("all interfaces, where IPv6 is off: listens and answers", { skip: !canUnshare && "needs unshare, ip and root" }, async (t) => {
    const setUp = 'ip link set lo up && sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1 && exec "$0" "$@"';
    const wrapper = ["unshare", "-n", "sh", "-c", setUp];
    for (const declared of [true, false]) {
      // In a network of its own nobody outside can ask: ready means that the app has answered inside.
      const service = await startListening(t, { listen: "paired", declared }, { workers: 2, wrapper, flags: ["--ready-when", "/"] });
      await until(`it is ready\n${service.output()}`, () => service.hasLogged(/^ready in/));
      assert.equal(service.hasLogged(/cannot hold/), false);
      service.signal("SIGTERM");
      assert.equal((await service.exited()).code, 0);
    }
  });
});

function statusOver(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    http.get({ socketPath, path: "/", agent: false }, (response) => resolve(response.resume().statusCode ?? 0)).on("error", reject);
  });
}

function canRun(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
