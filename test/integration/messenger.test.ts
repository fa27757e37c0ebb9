// The messenger between real processes: who gets what, from whom it says it is, and what it holds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startPost } from "../helpers/post.ts";
import { kill } from "../helpers/processes.ts";
import { startService } from "../helpers/service.ts";
import { until } from "../helpers/until.ts";

test("letters go where they are sent, and say where they come from", async (t) => {
  const post = await startPost(t);
  const agent = await post.pidOf("agent");
  const workers = [await post.pidOf("worker 0"), await post.pidOf("worker 1")];

  await post.tell("agent", "sendToApp", "hello", 1);
  assert.deepEqual(sorted(await post.untilHeard(/hello 1 /, 2)), [
    `worker 0 heard hello 1 from agent ${agent}`,
    `worker 1 heard hello 1 from agent ${agent}`,
  ]);
  await post.tell("worker", "sendToAgent", "hello", 2);
  assert.match((await post.untilHeard(/hello 2 /))[0] ?? "", new RegExp(`^agent heard hello 2 from app (${workers.join("|")})$`));
  await post.tell("worker", "broadcast", "hello", 3);
  assert.deepEqual(sorted(await post.untilHeard(/hello 3 /, 3)).map(beginning), [
    "agent heard hello 3",
    "worker 0 heard hello 3",
    "worker 1 heard hello 3",
  ]);
  await post.tell("agent", "sendTo", workers[1], "hello", 4);
  await post.tell("agent", "sendTo", String(workers[1]), "hello", 5);
  await post.tell("worker", "sendTo", agent, "hello", 6);
  await post.tell("worker", "sendRandom", "hello", 7);
  await post.tell("agent", "sendRandom", "hello", 8);
  await post.tell("agent", "sendToApp", "hello", "last");
  await post.untilHeard(/hello 'last'/, 2);
  await post.untilHeard(/hello 7 /);
  assert.deepEqual(post.heard(/hello [45] /).map(beginning), ["worker 1 heard hello 4", "worker 1 heard hello 5"]);
  assert.deepEqual(post.heard(/hello [67] /).map(beginning), ["agent heard hello 6", "agent heard hello 7"]);
  assert.equal(post.heard(/hello 8 /).length, 1);

  assert.equal(await post.metric('rollcall_messages_total{from="app",to="agent"}'), 4);
  assert.equal(await post.metric('rollcall_messages_total{from="parent",to="agent"}'), 0);
  for (const reason of ["absent", "full", "too_long", "forged", "malformed"])
    assert.equal(await post.metric(`rollcall_messages_dropped_total{reason="${reason}"}`), 0);
});

test("data arrive as what they are, a listener that throws costs its letter alone, and once is once", async (t) => {
  const post = await startPost(t);
  await post.tell("worker", "sendToAgent", "rich", "RICH");
  const [line] = await post.untilHeard(/rich/);
  const rich = "{ map: Map(1) { 'a' => 1970-01-01T00:00:00.000Z }, bytes: <Buffer 68 69>, big: 12345678901234567890n, none: undefined }";
  assert.ok(line?.startsWith(`agent heard rich ${rich} from app`), line);
  await post.tell("worker", "sendToAgent", "throws");
  await post.tell("worker", "sendToAgent", "error", "no error");
  await post.untilHeard(/agent heard error 'no error'/);
  assert.match(post.output(), /a listener that throws/);
  for (const number of [1, 2]) await post.tell("agent", "sendToApp", "once", number);
  await post.tell("agent", "sendToApp", "hello", "last");
  await post.untilHeard(/hello 'last'/, 2);
  assert.deepEqual(sorted(post.heard(/once/)).map(beginning), ["worker 0 heard once 1", "worker 1 heard once 1"]);
  const { message } = await post.tell("worker", "sendTo", "nobody", "hello");
  assert.match(message ?? "", /expected a pid, got "nobody"/);
});

test("everybody hears who is there: at the start, and when the agent or a worker is replaced", async (t) => {
  const post = await startPost(t, { flags: ["--backoff-delay", "10ms"] });
  const agent = await post.pidOf("agent");
  const workers = [await post.pidOf("worker 0"), await post.pidOf("worker 1")];
  await post.untilHeard(/heard egg-ready .* from master null/, 3);
  await post.untilHeard(new RegExp(`worker . heard egg-pids \\[ ${agent} \\] from master`), 2);
  await post.untilHeard(new RegExp(`agent heard egg-pids \\[ ${workers.join(", ")} \\] from master`));
  const [ready] = post.heard(/agent heard egg-ready/);
  assert.match(
    ready ?? "",
    new RegExp(`port: ${post.appPort}, debugPort: null, address: 'http://127.0.0.1:${post.appPort}', protocol: 'http'`),
  );

  kill(agent);
  await post.untilHeard(/worker . heard egg-pids \[\] from master/, 2);
  const next = await until("there is a new agent", async () => {
    const pid = await post.pidOf("agent");
    return pid !== agent ? pid : null;
  });
  await post.untilHeard(new RegExp(`worker . heard egg-pids \\[ ${next} \\] from master`), 2);
  await post.untilHeard(/worker . heard agent-start undefined from master/, 2);
  await post.untilHeard(/agent heard egg-ready/, 2);
  await post.untilHeard(new RegExp(`agent heard egg-pids \\[ ${workers.join(", ")} \\] from master`), 2);

  kill(workers[0] as number);
  await post.untilHeard(new RegExp(`agent heard egg-pids \\[ ${workers[1]} \\] from master`));
  const healed = await until("there is a new worker", async () => {
    const pid = await post.pidOf("worker 0");
    return pid !== workers[0] ? pid : null;
  });
  await post.untilHeard(new RegExp(`agent heard egg-pids \\[ ${healed}, ${workers[1]} \\] from master`));
  await post.untilHeard(/worker 0 heard egg-ready/, 2);
  assert.equal(post.heard(/worker 1 heard egg-ready/).length, 1, "those who stay hear it once");
});

test("what the master alone says is not taken from children; a reload is", async (t) => {
  const post = await startPost(t);
  for (const action of ["egg-ready", "egg-pids", "agent-start", "agent-worker-died", "app-worker-died"])
    await post.tell("worker", "broadcast", action, "forged");
  await post.tell("worker", "broadcast", "hello", "honest");
  await post.untilHeard(/hello 'honest'/, 3);
  assert.deepEqual(post.heard(/'forged'/), []);
  assert.equal(await post.metric('rollcall_messages_dropped_total{reason="forged"}'), 5);
  assert.ok(post.hasLogged(/^dropped a message, the last one from worker \d: only the master says such a thing$/));
  await post.tell("agent", "sendTo", (await post.status()).pid, "reload-worker");
  await until("the reload is done", () => post.hasLogged(/^reload done/));
});

test("what is sent to nobody is dropped and counted", async (t) => {
  const post = await startPost(t, { workers: 1 });
  await post.tell("worker", "sendTo", 999_999_999, "hello");
  await post.tell("worker", "sendToParent", "hello");
  await until("both are counted", async () => (await post.metric('rollcall_messages_dropped_total{reason="absent"}')) === 2);
  assert.equal(post.log().filter(({ msg }) => msg.startsWith("dropped")).length, 1, "one line a minute");
  assert.ok(post.hasLogged(/^dropped a message, the last one from worker 0: there is nobody who would get it$/));
});

test("letters of all sizes arrive in the order in which they were sent", async (t) => {
  const post = await startPost(t, { workers: 1 });
  const { result } = await post.tell("agent", "flood", await post.pidOf("worker 0"), 3_000, 150_000);
  assert.deepEqual(result, { next: 3_000, isInOrder: true });
});

test("whoever sends faster than others read, who may be busy for a while, waits for them: nothing is lost", async (t) => {
  const post = await startPost(t);
  assert.deepEqual(await post.tell("agent", "burst", 30_000, 1_024, 500), { result: 30_000 });
  for (const who of ["worker 0", "worker 1"])
    assert.deepEqual(await post.tell("agent", "ask", await post.pidOf(who), "bulk", null, { timeout: 60_000 }), {
      result: { next: 30_000, isInOrder: true },
    });
  assert.equal(await post.metric('rollcall_messages_dropped_total{reason="full"}'), 0);
});

test("sending says when there is no room, which is when the message is lost, and the sender can wait until there is", async (t) => {
  const post = await startPost(t, { workers: 1 });
  const worker = await post.pidOf("worker 0");
  // 64 MiB, less the last one that has no room.
  assert.deepEqual(await post.tell("agent", "fill", worker, 1024 * 1024), {
    result: { number: 63, isSent: true, next: 64, isInOrder: true },
  });
  assert.deepEqual(await post.tell("agent", "fillRaw", worker, 1024 * 1024), { result: { count: 63, code: "ERR_MESSAGE_DROPPED" } });
  assert.equal(await post.metric('rollcall_messages_dropped_total{reason="full"}'), 0);
});

test("a worker that does not read costs the other one a moment and the master little, and goes on when it reads again", async (t) => {
  const post = await startPost(t, { flags: ["--heartbeat-timeout", "10m"] });
  const [reading, stopped] = [await post.pidOf("worker 0"), await post.pidOf("worker 1")];
  process.kill(stopped, "SIGSTOP");
  const before = await post.metric("process_resident_memory_bytes");
  const { result } = await post.tell("agent", "flood", reading, 8_000, 20_000);
  assert.deepEqual(result, { next: 8_000, isInOrder: true }, "all 160 MB of them");
  assert.ok((await post.metric('rollcall_messages_dropped_total{reason="full"}')) > 1_000);
  assert.ok((await post.metric("process_resident_memory_bytes")) - before < 128 * 1024 * 1024);
  assert.ok(post.hasLogged(/^dropped a message, the last one from agent: the receiver does not read what it has been sent$/));
  assert.deepEqual(await post.tell("agent", "ask", stopped, "who", "x".repeat(100_000)), {
    code: "ERR_ASK_REFUSED",
    message: `ask(${stopped}, "who"): the worker does not read what it has been sent, and no more can wait for it`,
  });
  process.kill(stopped, "SIGCONT");
  await until("it is heard again", async () => {
    await post.tell("agent", "sendTo", stopped, "hello", "again");
    return post.heard(/worker 1 heard hello 'again'/).length > 0;
  });
});

function sorted(lines: readonly string[]): readonly string[] {
  return [...lines].sort();
}

function beginning(line: string): string {
  return line.slice(0, line.indexOf(" from "));
}

for (const listens of ["messenger", "process", "cluster.worker"]) {
  test(`a letter that comes while a worker boots waits for the first listener, on ${listens}`, async (t) => {
    const service = await startService(t, { app: "early-letters.mjs", agent: "early-letters.mjs", workers: 1, env: { LISTENS: listens } });
    await service.untilReady();
    await until("it is heard", () => service.output().includes("heard what was kept"));
    assert.equal(service.output().split("heard what was kept").length, 2, "once");
  });
}
