// Two containers behind haproxy, which looks at their readiness: `docker stop` and `docker start` in turn, and nobody at the proxy notices.
// Asked for by ROLLCALL_PROXY_TURNS=10, how often: it is a load test, and wants a machine of its own. haproxy and the clients run on this machine.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasHaproxy, type Replica, startProxy } from "../helpers/haproxy.ts";
import { freePort } from "../helpers/ports.ts";
import { takeTurns } from "../helpers/proxied.ts";
import { type Container, docker, skip, startContainer, useImage } from "./helpers.ts";

const TURNS = Number(process.env.ROLLCALL_PROXY_TURNS ?? 0);

describe("containers behind a proxy", {
  skip: skip || (TURNS === 0 && "a load test; run it with ROLLCALL_PROXY_TURNS=10") || (!hasHaproxy && "needs haproxy"),
}, () => {
  const image = useImage();

  it(`lose nothing when they are stopped and started in turn, ${TURNS} times`, async (t) => {
    // Ports that stay the same over a restart, as a proxy's configuration needs them.
    const replicas: readonly Replica[] = [
      { port: await freePort(), probesPort: await freePort() },
      { port: await freePort(), probesPort: await freePort() },
    ];
    const containers: Container[] = [];
    for (const { port, probesPort } of replicas) {
      const published = ["--publish", `127.0.0.1:${port}:3000`, "--publish", `127.0.0.1:${probesPort}:9000`];
      const env = ["--env", "ROLLCALL_DRAIN_DELAY=2s", "--env", "ROLLCALL_WORKERS=2"];
      containers.push(await startContainer(t, image, [...published, ...env]));
    }
    await takeTurns(t, {
      proxy: await startProxy(t, replicas),
      turns: TURNS,
      replicas: replicas.length,
      path: "/",
      stop: async (replica) => assert.equal((await (containers[replica] as Container).stop()).code, 0),
      start: async (replica) => void (await docker(["start", (containers[replica] as Container).name])),
    });
  });
});
