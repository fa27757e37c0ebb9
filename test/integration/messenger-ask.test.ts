// Questions and their answers, across processes and in a process that nobody supervises.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { freePort } from "../helpers/ports.ts";
import { startPost } from "../helpers/post.ts";
import { kill } from "../helpers/processes.ts";
import { FIXTURES } from "../helpers/service.ts";
import { DEADLINE_MS, until } from "../helpers/until.ts";

test("a question is answered by whom it is put to", async (t) => {
  const post = await startPost(t);
  assert.deepEqual(await post.tell("worker", "ask", "agent", "double", 21), { result: 42 });
  assert.deepEqual(await post.tell("worker", "ask", "agent", "who"), { result: "agent" });
  assert.match(String((await post.tell("agent", "ask", "app", "who")).result), /^worker [01]$/);
  assert.deepEqual(await post.tell("agent", "ask", await post.pidOf("worker 1"), "who"), { result: "worker 1" });
});

test("one that nobody answers fails with why: refused at once, or when its time is over", async (t) => {
  const post = await startPost(t, { workers: 1 });
  const refused = async (...args: readonly unknown[]): Promise<string | undefined> => {
    const { code, message } = await post.tell("worker", "ask", ...args);
    assert.equal(code, "ERR_ASK_REFUSED");
    return message;
  };
  assert.equal(await refused("agent", "fails"), 'ask("agent", "fails"): the handler fails');
  assert.equal(await refused("agent", "nothing"), 'ask("agent", "nothing"): it has no onAsk handler for "nothing"');
  assert.equal(await refused(999_999_999, "who"), 'ask(999999999, "who"): no worker can be reached');
  assert.deepEqual(await post.tell("worker", "ask", "agent", "sleeps", null, { timeout: 50 }), {
    code: "ERR_ASK_TIMEOUT",
    message: 'ask("agent", "sleeps"): no answer within 50 ms; expected one sooner, or a longer timeout',
  });
});

test("one that was put to a process that ends is refused at once, unless the answer was its last word", async (t) => {
  const post = await startPost(t, { flags: ["--backoff-delay", "10ms"] });
  const [agent, worker] = [await post.pidOf("agent"), await post.pidOf("worker 1")];
  const patient = { timeout: 600_000 };
  const ask = (from: "agent" | "worker", to: unknown, action: string) => post.tell(from, "ask", to, action, null, patient);
  const lost = (to: unknown, role: string) => ({
    code: "ERR_ASK_REFUSED",
    message: `ask(${JSON.stringify(to)}, "sleeps"): the ${role} that was asked ended before it answered`,
  });

  // While it sleeps the one that asked answers to others.
  const byPid = ask("agent", worker, "sleeps");
  await post.untilHeard(/worker 1 heard sleeps/);
  kill(worker);
  assert.deepEqual(await byPid, lost(worker, "worker"));
  await until("there is a new worker", async () => (await post.pidOf("worker 1")) !== worker);

  const toAny = ask("agent", "app", "sleeps");
  const [line] = await post.untilHeard(/worker . heard sleeps/, 2).then((lines) => lines.slice(-1));
  kill(await post.pidOf(line?.slice(0, "worker 0".length) ?? ""));
  assert.deepEqual(await toAny, lost("app", "worker"));

  const toAgent = ask("worker", "agent", "sleeps");
  await post.untilHeard(/agent heard sleeps/);
  kill(agent);
  assert.deepEqual(await toAgent, lost("agent", "agent"));

  await until("there is a new agent", async () => (await post.pidOf("agent")) !== agent);
  assert.deepEqual(await ask("worker", "agent", "ends"), { result: "the last word" });
});

/** What each question that cannot be put is refused with. */
const IN_VAIN: Readonly<Record<string, RegExp>> = {
  function: /^TypeError: messenger: expected data that can be cloned/,
  long: /^RangeError: Rollcall: expected a message of at most 16777216 bytes/,
  deep: /^(TypeError|RangeError): /,
  action: /^TypeError: messenger: expected an action that is a string, got object$/,
  none: /^TypeError: messenger: expected an action that is a string, got undefined$/,
  target: /^TypeError: ask\(to, action\): expected "agent", "app" \(any one ready worker\) or the pid of a process, got 'agnet'$/,
  big: /^TypeError: ask\(to, action\): expected .* got 1n$/,
  circular: /^TypeError: ask\(to, action\): expected .* got <ref/,
  pid: /^TypeError: messenger: expected a pid, got -1$/,
  "timeout Infinity": /^RangeError: ask: expected a timeout of 0 to 2147483647 ms, got Infinity$/,
  "timeout 2147483648": /^RangeError: ask: expected a timeout of 0 to 2147483647 ms, got 2147483648$/,
  "timeout NaN": /^RangeError: ask: expected a timeout of 0 to 2147483647 ms, got NaN$/,
  "timeout -1": /^RangeError: ask: expected a timeout of 0 to 2147483647 ms, got -1$/,
  "timeout 10": /^TypeError: ask: expected a timeout of 0 to 2147483647 ms, got '10'$/,
  "timeout null": /^TypeError: ask: expected a timeout of 0 to 2147483647 ms, got null$/,
};

function assertAllInVain(result: unknown): void {
  const said = result as Readonly<Record<string, string>>;
  assert.deepEqual(Object.keys(said).sort(), Object.keys(IN_VAIN).sort());
  for (const [name, expected] of Object.entries(IN_VAIN)) assert.match(said[name] ?? "", expected, name);
}

test("one that cannot be put is a promise that rejects, and leaves nothing behind that could end the process", async (t) => {
  const post = await startPost(t, { workers: 1 });
  const worker = await post.pidOf("worker 0");
  assertAllInVain((await post.tell("worker", "askInVain")).result);
  assert.deepEqual(await post.tell("worker", "ask", worker, "who"), { result: "worker 0" });
  assert.equal(await post.pidOf("worker 0"), worker);
});

test("a service without an agent refuses what is asked of it", async (t) => {
  const post = await startPost(t, { workers: 1, agent: undefined as never });
  const { message } = await post.tell("worker", "ask", "agent", "who");
  assert.equal(message, 'ask("agent", "who"): no agent can be reached');
});

test("under plain node a process hears what it sends to workers, and is told that there is nobody else", async (t) => {
  const port = await freePort();
  const child = spawn(process.execPath, [`${FIXTURES}post.mjs`], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PORT: String(port) },
  });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await until("it listens", () => output.includes("worker 0 is "));
  const tell = async (call: string, ...args: readonly unknown[]): Promise<unknown> =>
    (
      await fetch(`http://127.0.0.1:${port}/`, {
        method: "POST",
        body: JSON.stringify({ call, args }),
        signal: AbortSignal.timeout(DEADLINE_MS),
      })
    ).json();
  await tell("broadcast", "hello", 1);
  await tell("sendToAgent", "hello", 2);
  await tell("sendToApp", "rich", "RICH");
  await until("it has heard itself", () => output.includes("worker 0 heard rich { map: Map(1)"));
  await until("it knows that all are there", () => output.includes("worker 0 heard egg-ready {} from master null"));
  assert.match(output, new RegExp(`worker 0 heard hello 1 from app ${child.pid}`));
  assert.doesNotMatch(output, /hello 2/);
  assert.deepEqual(await tell("ask", "app", "double", 2), { result: 4 });
  assert.deepEqual(await tell("ask", "agent", "who"), {
    code: "ERR_ASK_REFUSED",
    message: 'ask("agent", "who"): there is nobody else: this process was started without rollcall',
  });
  assertAllInVain(((await tell("askInVain")) as { readonly result: unknown }).result);
  assert.equal(child.exitCode, null);
});
