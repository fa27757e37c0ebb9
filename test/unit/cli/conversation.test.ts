// How long a command waits for a service: for its first answer, and through the silence after it.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { converse } from "../../../src/cli/conversation.ts";
import { encode } from "../../../src/messenger/control.ts";
import { until } from "../../helpers/until.ts";

const PATIENCE_MS = 100;
const NO_ANSWER = /the service \(pid 7\) does not answer: it may be stopped \(SIGSTOP, a paused container\) or very busy/;

/** A service of which the test decides whether it answers. */
async function serve(
  t: TestContext,
  answer: (request: { readonly command: string }, client: Socket) => void,
): Promise<{ readonly path: string; readonly server: Server }> {
  const folder = await mkdtemp(join(tmpdir(), "rc-"));
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    client.on("error", () => {});
    client.once("data", (line) => answer(JSON.parse(line.toString()) as { command: string }, client));
  });
  const path = join(folder, "rollcall-7.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => {
    server.close();
    for (const client of clients) client.destroy();
    return rm(folder, { recursive: true, force: true });
  });
  return { path, server };
}

test("a service that takes no order in time does not answer", async (t) => {
  const { path } = await serve(t, () => {});
  await assert.rejects(converse(path, { command: "status" }, PATIENCE_MS).next(), (error: Error) => {
    assert.match(error.message, NO_ANSWER);
    assert.doesNotMatch(error.message, /still be done/);
    return true;
  });
  await assert.rejects(converse(path, { command: "drain" }, PATIENCE_MS).next(), /; when it goes on, the drain may still be done$/);
});

test("a service that answers others may be silent about an order for as long as it likes", async (t) => {
  let asked = 0;
  let reloading: Socket | undefined;
  const { path } = await serve(t, ({ command }, client) => {
    if (command === "status") {
      asked++;
      return void client.end(encode({ event: "status", status: {} }));
    }
    reloading = client;
    client.write(encode({ event: "accepted", command: "reload", pid: 7 }));
  });
  const answers = converse(path, { command: "reload", agent: false }, PATIENCE_MS);
  assert.equal((await answers.next()).value?.event, "accepted");
  const next = answers.next();
  await until("it was asked again and again", () => asked >= 3);
  reloading?.end(encode({ event: "done", command: "reload" }));
  assert.equal((await next).value?.event, "done");
  assert.equal((await answers.next()).done, true);
});

test("a service that has taken an order and then answers nobody does not answer", async (t) => {
  const { path } = await serve(t, ({ command }, client) => {
    if (command === "reload") client.write(encode({ event: "accepted", command: "reload", pid: 7 }));
  });
  const answers = converse(path, { command: "reload", agent: false }, PATIENCE_MS);
  await answers.next();
  await assert.rejects(answers.next(), NO_ANSWER);
});

test("a service whose socket is gone may still have something to say", async (t) => {
  let reloading: Socket | undefined;
  const { path } = await serve(t, (_, client) => {
    reloading = client;
    client.write(encode({ event: "accepted", command: "reload", pid: 7 }));
  });
  const answers = converse(path, { command: "reload", agent: false }, PATIENCE_MS);
  await answers.next();
  await rm(path);
  const next = answers.next();
  const before = performance.now();
  await until("it has been silent for long", () => performance.now() - before > 4 * PATIENCE_MS);
  reloading?.end(encode({ event: "done", command: "reload" }));
  assert.equal((await next).value?.event, "done");
});

test("a command that stood still itself reads what has come meanwhile", async (t) => {
  const { path } = await serve(t, (_, client) => {
    client.end(encode({ event: "status", status: {} }));
    // Longer than the patience, for both sides: the answer is in the socket, and the timer of the one who asks is late.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * PATIENCE_MS);
  });
  assert.equal((await converse(path, { command: "status" }, PATIENCE_MS).next()).value?.event, "status");
});

test("a connection that is closed without an answer is none, and one that is closed after it is the end", async (t) => {
  const { path } = await serve(t, ({ command }, client) => {
    if (command === "stop") client.write(encode({ event: "accepted", command: "stop", pid: 7 }));
    client.destroySoon();
  });
  for (const command of ["status", "drain"] as const)
    await assert.rejects(
      converse(path, { command }).next(),
      /was closed without an answer: its service has just ended, or can open no more files/,
    );
  const answers = converse(path, { command: "stop", fast: false });
  assert.equal((await answers.next()).value?.event, "accepted");
  assert.equal((await answers.next()).done, true);
});
