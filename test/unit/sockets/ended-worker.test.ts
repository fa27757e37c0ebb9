// A worker that drains: nothing waits in it any more, and a server that the app opens only now touches no port.
import assert from "node:assert/strict";
import net, { type AddressInfo } from "node:net";
import { test } from "node:test";
import { becomeWorker, bindQueue, listening, serve } from "../../helpers/held-server.ts";
import { listenersOf } from "../../helpers/listeners.ts";
import { freePort } from "../../helpers/ports.ts";

const worker = becomeWorker();

test("lets go of what waits, keeps what is open, and binds nothing for a late server, which looks as if it listened", async (t) => {
  const { port } = await serve(t, worker);
  const open = listenersOf(port).length;
  const waiting = await freePort();
  const handle = bindQueue(t, waiting);
  handle.listen(1);
  worker.order("adopt", 0, waiting, handle);
  worker.end();
  assert.deepEqual(listenersOf(waiting), []);
  assert.equal(listenersOf(port).length, open);
  for (const late of [waiting, await freePort()]) {
    const server = net.createServer();
    t.after(() => void server.close());
    server.listen(late);
    await listening(server);
    assert.deepEqual(server.address(), { address: "::", family: "IPv6", port: late } satisfies AddressInfo);
    assert.deepEqual(listenersOf(late), []);
  }
});
