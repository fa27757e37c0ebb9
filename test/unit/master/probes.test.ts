// The probe server over a loss of its port: what cannot be shown now is shown as soon as it can.
import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import net, { type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { openProbes } from "../../../src/master/probes.ts";

async function statusOf(port: number, path: string): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } })).status;
}

/** Who listens on the port as soon as whoever had it on IPv4 has let go of it. */
function takeWhenClosed(t: TestContext, port: number, first: Server): Server {
  const thief = net.createServer((socket) => socket.destroy());
  t.after(() => thief.close());
  first.prependOnceListener("close", () => thief.listen({ port, host: "0.0.0.0" }));
  return thief;
}

test("shows that liveness is back once the port is free again, where somebody had taken it in the moment of the recovery", async (t) => {
  const servers: Server[] = [];
  const note = (message: unknown): void => void servers.push((message as { server: Server }).server);
  diagnostics.subscribe("tracing:net.server.listen:asyncEnd", note);
  t.after(() => diagnostics.unsubscribe("tracing:net.server.listen:asyncEnd", note));
  const probes = await openProbes(0);
  t.after(() => probes.close());
  const own = servers.find((server) => (server.address() as net.AddressInfo).family === "IPv4" || servers.length === 1) as Server;
  const thief = takeWhenClosed(t, probes.port, own);

  await probes.show({ live: false, ready: false });
  assert.equal(await statusOf(probes.port, "/live"), 500);
  await assert.rejects(probes.show({ live: true, ready: true }), { code: "EADDRINUSE" });
  await assert.rejects(probes.show({ live: true, ready: true }), { code: "EADDRINUSE" });
  await new Promise((resolve) => thief.close(resolve));
  await probes.show({ live: true, ready: true });
  assert.equal(await statusOf(probes.port, "/live"), 200);
  assert.equal(await statusOf(probes.port, "/ready"), 200);
});
