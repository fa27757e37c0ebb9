// Two replicas behind haproxy, which looks at their readiness, stopped and started in turn: nobody at the proxy notices. Ten turns with
// the strategy for Linux, two with each other: about two and a half minutes, most of it the idle allowance of the proxy's connections.
// The same with containers is in test/container/. ROLLCALL_LOAD_TURNS sets how often.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { hasHaproxy, startProxy } from "../helpers/haproxy.ts";
import { takeTurns } from "../helpers/proxied.ts";
import type { Service } from "../helpers/service.ts";
import { STRATEGIES, startUnderLoad } from "../helpers/strategies.ts";

const TURNS = Number(process.env.ROLLCALL_LOAD_TURNS ?? 10);

function startReplica(t: TestContext, listen: (typeof STRATEGIES)[number], ports?: readonly [number, number, number]): Promise<Service> {
  const options = { workers: 2, flags: ["--drain-delay", "2s"], ...(ports === undefined ? {} : { ports }) };
  return startUnderLoad(t, { listen, declared: true }, options);
}

for (const listen of STRATEGIES) {
  const turns = listen === "paired" ? TURNS : Math.min(2, TURNS);
  test(`${listen}: ${turns} stops and starts in turn lose nothing`, { skip: !hasHaproxy && "needs haproxy" }, async (t) => {
    const services = [await startReplica(t, listen), await startReplica(t, listen)];
    const at = (replica: number): Service => services[replica] as Service;
    for (const service of services) await service.untilReady();
    const proxy = await startProxy(
      t,
      services.map(({ appPort, probesPort }) => ({ port: appPort, probesPort })),
    );
    await takeTurns(t, {
      proxy,
      turns,
      replicas: services.length,
      path: "/?ms=2",
      stop: async (replica) => {
        at(replica).signal("SIGTERM");
        assert.equal((await at(replica).exited()).code, 0);
      },
      start: async (replica) => {
        const { appPort, probesPort, metricsPort } = at(replica);
        services[replica] = await startReplica(t, listen, [appPort, probesPort, metricsPort]);
      },
    });
  });
}
