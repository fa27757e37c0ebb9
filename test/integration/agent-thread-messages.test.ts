// agent-mode thread: letters between the thread and the workers, in all directions and of all sizes; sockets are for processes alone.
import assert from "node:assert/strict";
import net from "node:net";
import { describe, test } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { startPost } from "../helpers/post.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

const THREAD = ["--agent-mode", "thread"];

describe("letters of an agent in a thread", { concurrency: 2 }, () => {
  test("go where they are sent, with what they carry, and are answered", async (t) => {
    const post = await startPost(t, { flags: THREAD });
    const { pid } = await post.status();
    const [one, two] = [await post.pidOf("worker 0"), await post.pidOf("worker 1")];
    assert.equal(await post.pidOf("agent"), pid, "the master's");
    await post.untilHeard(/agent heard egg-ready .* from master null/);
    await post.untilHeard(new RegExp(`worker . heard egg-pids \\[ ${pid} \\] from master`), 2);
    await post.untilHeard(new RegExp(`agent heard egg-pids \\[ ${one}, ${two} \\] from master`));

    await post.tell("worker", "sendToAgent", "hello", "to the agent");
    await post.untilHeard(/agent heard hello 'to the agent' from app/);
    await post.tell("worker", "sendTo", pid, "hello", "to its pid");
    await post.untilHeard(/agent heard hello 'to its pid' from app/);
    await post.tell("agent", "sendToApp", "hello", "to all");
    await post.untilHeard(new RegExp(`worker . heard hello 'to all' from agent ${pid}`), 2);
    await post.tell("agent", "broadcast", "hello", "to everybody");
    await post.untilHeard(/heard hello 'to everybody' from agent/, 3);
    for (const [role, call] of [
      ["agent", "sendToApp"],
      ["worker", "sendToAgent"],
    ] as const)
      await post.tell(role, call, "rich", "RICH");
    await post.untilHeard(/heard rich .*map: Map\(1\) .*<Buffer 68 69>/, 3);
    assert.deepEqual(await post.tell("worker", "ask", "agent", "double", 21), { result: 42 });
    assert.deepEqual(await post.tell("worker", "ask", pid, "who"), { result: "agent" });
    assert.deepEqual(await post.tell("agent", "ask", one, "who"), { result: "worker 0" });
    assert.deepEqual(await post.tell("agent", "ask", "agent", "who"), { result: "agent" }, "itself");
    assert.equal((await post.tell("worker", "ask", "agent", "fails")).code, "ERR_ASK_REFUSED");
    await post.tell("agent", "sendTo", pid, "reload-worker");
    await until("what is the master's is taken by the master", () => post.hasLogged(/^reload done/));
  });

  test("come in order, in any size, and nothing is lost by who sends faster than others read", async (t) => {
    const post = await startPost(t, { flags: THREAD });
    const one = await post.pidOf("worker 0");
    assert.deepEqual(await post.tell("agent", "burst", 20_000, 1_024, 300), { result: 20_000 });
    const heard = await post.tell("agent", "ask", one, "bulk", null, { timeout: 60_000 });
    assert.deepEqual(heard, { result: { next: 20_000, isInOrder: true } });
    assert.equal(await post.metric('rollcall_messages_dropped_total{reason="full"}'), 0);
    const large = await post.tell("worker", "sendToAgent", "hello", "x".repeat(15 << 20));
    assert.deepEqual(large, { result: true });
    await until("one of 15 MiB is heard", () => post.heard(/agent heard hello 'xxx/).length === 1);
  });

  test("carry no socket: who sends one from there is told so, and one that is sent there is dropped, counted and told of", async (t) => {
    const [socketPort, serverPort] = [await freePort(), await freePort()];
    const env = { SOCKET_PORT: String(socketPort), SERVER_PORT: String(serverPort) };
    const service = await startService(t, { app: "post-handles.mjs", agent: "post-handles.mjs", workers: 1, env, flags: THREAD });
    await service.untilReady();
    const client = net.connect(socketPort, "127.0.0.1").on("error", () => {});
    t.after(() => client.destroy());
    await until("the sender is told", () =>
      /Uncaught TypeError: expected a message without a socket or a server: an agent in a thread/.test(service.output()),
    );
    assert.equal(await service.probe("ready"), 200);

    const { status } = await fetch(service.url("/give-agent"), { headers: { connection: "close" } });
    assert.equal(status, 200);
    await until("it is counted", async () => (await service.metric('rollcall_messages_dropped_total{reason="thread"}')) === 1);
    assert.ok(
      service.hasLogged(/^dropped a message, the last one from worker 0: it came with a socket or a server, which an agent in a thread/),
    );
  });
});
